// Value files of plain values: built, opened, and read as the engine does, out of bytes in memory.
import { concatBytes } from "../../src/internal/format/bytes.ts"
import type { Codec } from "../../src/internal/format/codec.ts"
import { type FileHeader, FileKind } from "../../src/internal/format/fileHeader.ts"
import { checksumSealer, type Sealer } from "../../src/internal/format/sealer.ts"
import { ValueFileBuilder, type ValueOwner } from "../../src/internal/format/valueFileBuilder.ts"
import type { ValueFileMeta } from "../../src/internal/format/valueFileMeta.ts"
import type { ValuePlace } from "../../src/internal/format/valueIndex.ts"
import { openStoredValue, openValue, type StoredValue } from "../../src/internal/format/valuePieces.ts"
import {
  locate,
  openIndexBlock,
  ValueFileOpening,
  type ValueFileParts
} from "../../src/internal/structure/valueFileOpening.ts"
import { type Dice, testHeader, utf8 } from "../internal/format/support.ts"

export interface PlainValue {
  /** The logical file. */
  readonly id: number
  readonly index: number
  readonly key: string
  readonly sequence: number
  readonly value: Uint8Array
}

export interface BuiltValues {
  readonly bytes: Uint8Array
  readonly meta: ValueFileMeta
}

export const ownerOf = (key: string, sequence: number): ValueOwner => {
  const bytes = utf8(`<${key}>`)
  return { bytes, keyStart: 1, keyEnd: bytes.length - 1, sequence }
}

export const builderOf = (
  sealer: Sealer = checksumSealer,
  given: Partial<FileHeader> = {},
  codec?: Codec
): ValueFileBuilder => {
  const { keyGeneration, tagBytes } = sealer
  const header = testHeader({ kind: FileKind.valueFile, tagBytes, keyGeneration, ...given })
  return new ValueFileBuilder({ header, sealer, codec })
}

/** The values in their order: by id, then by index. */
export const buildValues = (values: ReadonlyArray<PlainValue>, builder = builderOf()): BuiltValues => {
  const chunks: Array<Uint8Array> = []
  let section = -1
  for (const { id, index, key, sequence, value } of values) {
    if (id !== section) builder.beginSection(id)
    section = id
    builder.add(index, ownerOf(key, sequence), { bytes: value, start: 0, end: value.length })
    // What was taken is as it will be: it is copied before the next value comes.
    chunks.push(...builder.take().map((chunk) => chunk.slice()))
  }
  return finishValues(builder, chunks)
}

export const finishValues = (builder: ValueFileBuilder, chunks: ReadonlyArray<Uint8Array> = []): BuiltValues => {
  const last = builder.finish()
  return { bytes: concatBytes([...chunks, ...last.chunks]), meta: last.meta }
}

/** Throws `FormatError`. */
export const openValues = ({ bytes, meta }: BuiltValues, sealer: Sealer = checksumSealer): ValueFileParts => {
  const { databaseId } = testHeader()
  const opening = new ValueFileOpening({ meta, fileBytes: bytes.length, databaseId })
  for (let request = opening.next(); request !== undefined; request = opening.next()) {
    const answer = request._tag === "Sealer" ? sealer : bytes.slice(request.offset, request.offset + request.length)
    opening.feed(answer)
  }
  return opening.opened
}

/** Where the value is. Throws `FormatError`. */
export const placeIn = (
  parts: ValueFileParts,
  bytes: Uint8Array,
  { id, index }: { readonly id: number; readonly index: number }
): ValuePlace | undefined => {
  const block = locate(parts, id, index)
  if (block === undefined) return undefined
  return openIndexBlock(parts, block, { bytes, start: block.offset }).find(index)
}

/** The value, found and opened as who holds a handle does it. Throws `FormatError`. */
export const readValue = (
  parts: ValueFileParts,
  bytes: Uint8Array,
  named: Omit<PlainValue, "value"> & { readonly length: number }
): Uint8Array | undefined => {
  const place = placeIn(parts, bytes, named)
  if (place === undefined) return undefined
  const { offset: start, storedBytes } = place
  // Without what stands before it, so that the offsets in the file and in what was read differ.
  const read = concatBytes([utf8("xx"), bytes.subarray(start, start + storedBytes)])
  const owner = ownerOf(named.key, named.sequence)
  return concatBytes(openValue(parts, place, { bytes: read, start: 2, owner, length: named.length }))
}

export const storedValue = (parts: ValueFileParts, bytes: Uint8Array, place: ValuePlace): StoredValue =>
  openStoredValue(parts, place, { bytes, start: place.offset })

/** Values in order, of several sections, with gaps between their indexes. */
export const randomValues = (dice: Dice, sizes: ReadonlyArray<number>, count: number): Array<PlainValue> => {
  const values: Array<PlainValue> = []
  let id = dice.below(1000)
  let index = dice.below(3)
  for (let made = 0; made < count; made++) {
    if (dice.chance(0.1)) {
      id += 1 + dice.below(2 ** 30)
      index = dice.below(2 ** 20)
    }
    const value = Buffer.alloc(dice.below(dice.pick(sizes)), dice.bytes(7))
    const key = "k".repeat(dice.below(dice.chance(0.95) ? 9 : 3000)) + made
    values.push({ id, index, key, sequence: dice.chance(0.2) ? 0 : dice.whole(), value: new Uint8Array(value) })
    index += dice.chance(0.7) ? 1 : 1 + dice.below(2 ** 20)
  }
  return values
}
