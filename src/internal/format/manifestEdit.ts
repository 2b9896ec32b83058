// One change of the set of files and of what else the manifest knows, as fields in tag order.
//
//   edit  := field*
//   field := tag: varint  length: varint  value[length]
//
//    2 encryptionName     UTF-8, at most 255 bytes          16 cleanShutdown     lastLsn: varint  lastSequence: varint
//    4 requiredFeature*   UTF-8, at most 255 bytes          18 commitMillisMax   f64
//    6 logNumberMin       varint                            20 snapshotEnd       nothing: the edits so far are a state
//    8 fileNumberNext     varint                            22 lsnDurable        varint
//   10 sequencesReserved  varint                            24 quarantine*       varint, a file number
//   12 addTable*          tableMeta (tableMeta.ts)          26 historyFloor      varint
//   14 removeTable*       varint, a file number             28 epoch             varint
//   30 addValueFile*      valueFileMeta (valueFileMeta.ts)  32 removeValueFile*  varint, a file number
//   34 codec*             id: varint  name, UTF-8, at most 255 bytes: blocks may have it from now on
//   36 epochId            16 random bytes: the file ids of the epoch's log segments end with them
//   38 keyringNumber      varint: the keyring of this number is durable, and none below it counts any more
//
// Tags never go down; only those with * repeat. An unknown even tag must be understood to use the database, so it is
// `unsupported`; an unknown odd one is skipped. Canonical but for skipped fields.
import { ByteReader, ByteWriter } from "./bytes.ts"
import { assert, FormatError, unsupported } from "./formatError.ts"
import { readTableMeta, type TableMeta, writeTableMeta } from "./tableMeta.ts"
import { readValueFileMeta, type ValueFileMeta, writeValueFileMeta } from "./valueFileMeta.ts"

/** Part of the format. Never renumber, never reuse. */
export const EditTag = {
  encryptionName: 2,
  requiredFeature: 4,
  logNumberMin: 6,
  fileNumberNext: 8,
  sequencesReserved: 10,
  addTable: 12,
  removeTable: 14,
  cleanShutdown: 16,
  commitMillisMax: 18,
  snapshotEnd: 20,
  lsnDurable: 22,
  quarantine: 24,
  historyFloor: 26,
  epoch: 28,
  addValueFile: 30,
  removeValueFile: 32,
  codec: 34,
  epochId: 36,
  keyringNumber: 38
} as const

/** A codec (codec.ts) by its number in blocks and its name. */
export interface CodecRow {
  readonly id: number
  readonly name: string
}

/** A field that is absent leaves what was; an empty list is the same as an absent one. */
export interface ManifestEdit {
  readonly encryptionName?: string | undefined
  readonly requiredFeatures?: ReadonlyArray<string> | undefined
  readonly logNumberMin?: number | undefined
  readonly fileNumberNext?: number | undefined
  readonly sequencesReserved?: number | undefined
  readonly addTables?: ReadonlyArray<TableMeta> | undefined
  readonly removeTables?: ReadonlyArray<number> | undefined
  readonly cleanShutdown?: { readonly lastLsn: number; readonly lastSequence: number } | undefined
  readonly commitMillisMax?: number | undefined
  readonly snapshotEnd?: true | undefined
  readonly lsnDurable?: number | undefined
  readonly quarantine?: ReadonlyArray<number> | undefined
  readonly historyFloor?: number | undefined
  readonly epoch?: number | undefined
  readonly epochId?: Uint8Array | undefined
  readonly keyringNumber?: number | undefined
  readonly addValueFiles?: ReadonlyArray<ValueFileMeta> | undefined
  readonly removeValueFiles?: ReadonlyArray<number> | undefined
  readonly codecs?: ReadonlyArray<CodecRow> | undefined
}

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

export const nameBytesMax = 255
export const epochIdBytes = 16

const repeated = new Set<number>([
  EditTag.requiredFeature,
  EditTag.addTable,
  EditTag.removeTable,
  EditTag.quarantine,
  EditTag.addValueFile,
  EditTag.removeValueFile,
  EditTag.codec
])
const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The edit's bytes. */
export const encodeEdit = (edit: ManifestEdit): Uint8Array => {
  const out = new FieldWriter()
  out.name(EditTag.encryptionName, edit.encryptionName)
  for (const feature of edit.requiredFeatures ?? []) out.name(EditTag.requiredFeature, feature)
  out.number(EditTag.logNumberMin, edit.logNumberMin)
  out.number(EditTag.fileNumberNext, edit.fileNumberNext)
  out.number(EditTag.sequencesReserved, edit.sequencesReserved)
  for (const table of edit.addTables ?? []) out.field(EditTag.addTable, (value) => writeTableMeta(value, table))
  for (const table of edit.removeTables ?? []) out.number(EditTag.removeTable, table)
  const { cleanShutdown, commitMillisMax } = edit
  if (cleanShutdown !== undefined) {
    out.field(EditTag.cleanShutdown, (value) => {
      value.varint(cleanShutdown.lastLsn)
      value.varint(cleanShutdown.lastSequence)
    })
  }
  if (commitMillisMax !== undefined) out.field(EditTag.commitMillisMax, (value) => value.f64(commitMillisMax))
  if (edit.snapshotEnd === true) out.field(EditTag.snapshotEnd, () => {})
  out.number(EditTag.lsnDurable, edit.lsnDurable)
  for (const file of edit.quarantine ?? []) out.number(EditTag.quarantine, file)
  out.number(EditTag.historyFloor, edit.historyFloor)
  out.number(EditTag.epoch, edit.epoch)
  for (const file of edit.addValueFiles ?? [])
    out.field(EditTag.addValueFile, (value) => writeValueFileMeta(value, file))
  for (const file of edit.removeValueFiles ?? []) out.number(EditTag.removeValueFile, file)
  for (const { id, name } of edit.codecs ?? []) {
    out.field(EditTag.codec, (value) => {
      value.varint(id)
      value.raw(nameBytes(name))
    })
  }
  const { epochId } = edit
  if (epochId !== undefined) {
    assert(epochId.length === epochIdBytes, "an epoch id is 16 bytes")
    out.field(EditTag.epochId, (value) => value.raw(epochId))
  }
  out.number(EditTag.keyringNumber, edit.keyringNumber)
  return out.writer.finish()
}

class FieldWriter {
  readonly writer = new ByteWriter()
  private readonly value = new ByteWriter()

  field(tag: number, write: (value: ByteWriter) => void): void {
    this.value.reset()
    write(this.value)
    this.writer.varint(tag)
    this.writer.varint(this.value.offset)
    this.writer.range(this.value.bytes, 0, this.value.offset)
  }

  number(tag: number, value: number | undefined): void {
    if (value !== undefined) this.field(tag, (writer) => writer.varint(value))
  }

  name(tag: number, name: string | undefined): void {
    if (name !== undefined) this.field(tag, (writer) => writer.raw(nameBytes(name)))
  }
}

const nameBytes = (name: string): Uint8Array => {
  const bytes = encoder.encode(name)
  assert(name.isWellFormed() && bytes.length <= nameBytesMax, "a name is well-formed and within its limit")
  return bytes
}

/** Reads an edit that fills the bytes. */
export const decodeEdit = (bytes: Uint8Array): ManifestEdit => {
  const edit: Mutable<ManifestEdit> = {}
  const reader = new ByteReader(bytes)
  let previous = 0
  while (reader.remaining > 0) {
    const { offset } = reader
    const tag = reader.varint()
    const length = reader.varint()
    const start = reader.offset
    reader.skip(length)
    const known = tag % 2 === 0
    if (tag < previous || (tag === previous && known && !repeated.has(tag))) {
      throw new FormatError(`field ${tag} of an edit is out of order`, offset)
    }
    previous = tag
    if (!known) continue
    const value = new ByteReader(bytes, start, start + length)
    readField(edit, tag, value)
    value.done()
  }
  return edit
}

const readField = (edit: Mutable<ManifestEdit>, tag: number, value: ByteReader): void => {
  switch (tag) {
    case EditTag.encryptionName:
      edit.encryptionName = readName(value)
      return
    case EditTag.requiredFeature:
      edit.requiredFeatures = append(edit.requiredFeatures, readName(value))
      return
    case EditTag.logNumberMin:
      edit.logNumberMin = value.varint()
      return
    case EditTag.fileNumberNext:
      edit.fileNumberNext = value.varint()
      return
    case EditTag.sequencesReserved:
      edit.sequencesReserved = value.varint()
      return
    case EditTag.addTable:
      edit.addTables = append(edit.addTables, readTableMeta(value))
      return
    case EditTag.removeTable:
      edit.removeTables = append(edit.removeTables, value.varint())
      return
    case EditTag.cleanShutdown:
      edit.cleanShutdown = { lastLsn: value.varint(), lastSequence: value.varint() }
      return
    case EditTag.commitMillisMax:
      edit.commitMillisMax = value.f64()
      return
    case EditTag.snapshotEnd:
      edit.snapshotEnd = true
      return
    case EditTag.lsnDurable:
      edit.lsnDurable = value.varint()
      return
    case EditTag.quarantine:
      edit.quarantine = append(edit.quarantine, value.varint())
      return
    case EditTag.historyFloor:
      edit.historyFloor = value.varint()
      return
    case EditTag.epoch:
      edit.epoch = value.varint()
      return
    case EditTag.addValueFile:
      edit.addValueFiles = append(edit.addValueFiles, readValueFileMeta(value))
      return
    case EditTag.removeValueFile:
      edit.removeValueFiles = append(edit.removeValueFiles, value.varint())
      return
    case EditTag.epochId:
      edit.epochId = value.raw(epochIdBytes)
      return
    case EditTag.keyringNumber:
      edit.keyringNumber = value.varint()
      return
    case EditTag.codec:
      edit.codecs = append(edit.codecs, { id: value.varint(), name: readName(value) })
      return
    default:
      throw unsupported(`an edit has the unknown field ${tag}`, value.offset)
  }
}

// The list is this decoder's own until the edit is returned: copying it for each of 10,000 tables would be quadratic.
const append = <A>(list: ReadonlyArray<A> | undefined, value: A): ReadonlyArray<A> => {
  if (list === undefined) return [value]
  ;(list as Array<A>).push(value)
  return list
}

const readName = (value: ByteReader): string => {
  const { offset } = value
  if (value.remaining > nameBytesMax) throw new FormatError("a name is too long", offset)
  try {
    return decoder.decode(value.raw(value.remaining))
  } catch {
    throw new FormatError("a name is not UTF-8", offset)
  }
}
