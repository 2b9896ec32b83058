// What the edits of a manifest amount to: an immutable value, and how an edit changes it.
//
//   removals come before additions; a removed table or value file must be there, an added one must not
//   a logical value file is in one value file at most, and each that a table refers to is in one
//   commitMillisMax, lsnDurable and fileNumberNext only grow, logNumberMin and keyringNumber must not go back
//   a clean shutdown is the last thing that an epoch says: the next edit of any kind takes it back
import { assert } from "../format/formatError.ts"
import type { CodecRow, ManifestEdit } from "../format/manifestEdit.ts"
import type { TableMeta } from "../format/tableMeta.ts"
import type { ValueFileMeta } from "../format/valueFileMeta.ts"

export interface ManifestFacts {
  readonly epoch: number
  /** What the file ids of its log segments end with; `undefined` before the first. */
  readonly epochId: Uint8Array | undefined
  readonly encryptionName: string
  readonly requiredFeatures: ReadonlyArray<string>
  readonly tables: ReadonlyArray<TableMeta>
  readonly valueFiles: ReadonlyArray<ValueFileMeta>
  readonly logNumberMin: number
  readonly fileNumberNext: number
  readonly sequencesReserved: number
  readonly commitMillisMax: number
  readonly lsnDurable: number
  readonly historyFloor: number
  readonly quarantine: ReadonlyArray<number>
  /** That blocks may have. */
  readonly codecs: ReadonlyArray<CodecRow>
  /** Keyrings below this number were replaced; 0 without encryption. */
  readonly keyringNumber: number
  readonly cleanShutdown: { readonly lastLsn: number; readonly lastSequence: number } | undefined
}

/** Before any edit. */
export const noFacts: ManifestFacts = {
  epoch: 0,
  epochId: undefined,
  encryptionName: "",
  requiredFeatures: [],
  tables: [],
  valueFiles: [],
  logNumberMin: 0,
  fileNumberNext: 1,
  sequencesReserved: 0,
  commitMillisMax: 0,
  lsnDurable: 0,
  historyFloor: 0,
  quarantine: [],
  codecs: [],
  keyringNumber: 0,
  cleanShutdown: undefined
}

/** Why the edit cannot follow the state; `undefined` if it can. */
export const problemOf = (facts: ManifestFacts, edit: ManifestEdit): string | undefined => {
  const numbers = new Set<number>()
  for (const table of facts.tables) numbers.add(table.number)
  for (const number of edit.removeTables ?? []) {
    if (!numbers.delete(number)) return `table ${number} is removed and was not there`
  }
  const next = Math.max(facts.fileNumberNext, edit.fileNumberNext ?? 0)
  for (const { number } of edit.addTables ?? []) {
    if (numbers.has(number)) return `table ${number} is added twice`
    if (number >= next) return `table ${number} is added, and only numbers below ${next} were given out`
    numbers.add(number)
  }
  const valuesProblem = valuesProblemOf(facts, edit, next)
  if (valuesProblem !== undefined) return valuesProblem
  if ((edit.logNumberMin ?? facts.logNumberMin) < facts.logNumberMin) {
    return `the first log segment goes back from ${facts.logNumberMin} to ${edit.logNumberMin}`
  }
  if ((edit.keyringNumber ?? facts.keyringNumber) < facts.keyringNumber) {
    return `the keyring goes back from ${facts.keyringNumber} to ${edit.keyringNumber}`
  }
  const codecsProblem = codecsProblemOf(facts, edit)
  if (codecsProblem !== undefined) return codecsProblem
  return (edit.epoch ?? facts.epoch) < facts.epoch ? `epoch ${edit.epoch} follows ${facts.epoch}` : undefined
}

/** An id has one name for ever. */
const codecsProblemOf = (facts: ManifestFacts, { codecs = [] }: ManifestEdit): string | undefined => {
  const names = new Map(facts.codecs.map(({ id, name }) => [id, name]))
  const added = new Set<number>()
  for (const { id, name } of codecs) {
    const other = names.get(id)
    if (other !== undefined && other !== name) return `codec ${id} is "${other}" and "${name}"`
    if (added.has(id)) return `codec ${id} is added twice`
    names.set(id, name)
    added.add(id)
  }
  return undefined
}

const valuesProblemOf = (facts: ManifestFacts, edit: ManifestEdit, next: number): string | undefined => {
  const { addTables = [], addValueFiles = [], removeValueFiles = [] } = edit
  // Most edits are of tables without separated values, and of a state without any.
  if (addValueFiles.length === 0 && removeValueFiles.length === 0) {
    return refsProblemOf(addTables, () => idsOf(facts.valueFiles))
  }
  const files = new Map(facts.valueFiles.map((file) => [file.number, file]))
  const gone = new Set<number>()
  for (const number of removeValueFiles) {
    const file = files.get(number)
    if (file === undefined) return `value file ${number} is removed and was not there`
    files.delete(number)
    for (const { id } of file.sections) gone.add(id)
  }
  const ids = idsOf(files.values())
  for (const file of addValueFiles) {
    const { number, sections } = file
    if (files.has(number)) return `value file ${number} is added twice`
    const { id: highest } = sections[sections.length - 1]
    if (Math.max(number, highest) >= next) return `value file ${number} is added, and its numbers were not given out`
    for (const { id } of sections) {
      if (ids.has(id)) return `the values of file ${id} are in two value files`
      ids.add(id)
      gone.delete(id)
    }
    files.set(number, file)
  }
  if (gone.size === 0) return refsProblemOf(addTables, () => ids)
  const removed = new Set(edit.removeTables)
  const kept = facts.tables.filter((table) => !removed.has(table.number))
  return refsProblemOf([...kept, ...addTables], () => ids)
}

const idsOf = (files: Iterable<ValueFileMeta>): Set<number> => {
  const ids = new Set<number>()
  for (const { sections } of files) for (const { id } of sections) ids.add(id)
  return ids
}

const refsProblemOf = (tables: ReadonlyArray<TableMeta>, known: () => ReadonlySet<number>): string | undefined => {
  let ids: ReadonlySet<number> | undefined
  for (const { number, valueRefs } of tables) {
    for (const { file } of valueRefs) {
      ids ??= known()
      if (!ids.has(file)) return `table ${number} refers to values of file ${file}, which is nowhere`
    }
  }
  return undefined
}

/** The state after the edit, which must have no problem. */
export const applyEdit = (facts: ManifestFacts, edit: ManifestEdit): ManifestFacts => {
  assert(problemOf(facts, edit) === undefined, "an edit follows the state")
  const removed = new Set(edit.removeTables)
  const kept = removed.size === 0 ? facts.tables : facts.tables.filter((table) => !removed.has(table.number))
  const withoutFiles = new Set(edit.removeValueFiles)
  const keptFiles =
    withoutFiles.size === 0 ? facts.valueFiles : facts.valueFiles.filter((file) => !withoutFiles.has(file.number))
  return {
    epoch: edit.epoch ?? facts.epoch,
    epochId: edit.epochId ?? facts.epochId,
    encryptionName: edit.encryptionName ?? facts.encryptionName,
    requiredFeatures: union(facts.requiredFeatures, edit.requiredFeatures),
    tables: edit.addTables === undefined ? kept : [...kept, ...edit.addTables],
    valueFiles: edit.addValueFiles === undefined ? keptFiles : [...keptFiles, ...edit.addValueFiles],
    logNumberMin: edit.logNumberMin ?? facts.logNumberMin,
    fileNumberNext: Math.max(facts.fileNumberNext, edit.fileNumberNext ?? 0),
    sequencesReserved: edit.sequencesReserved ?? facts.sequencesReserved,
    commitMillisMax: Math.max(facts.commitMillisMax, edit.commitMillisMax ?? 0),
    lsnDurable: Math.max(facts.lsnDurable, edit.lsnDurable ?? 0),
    historyFloor: edit.historyFloor ?? facts.historyFloor,
    quarantine: union(facts.quarantine, edit.quarantine),
    codecs: withRows(facts.codecs, edit.codecs),
    keyringNumber: edit.keyringNumber ?? facts.keyringNumber,
    cleanShutdown: edit.cleanShutdown
  }
}

const withRows = (
  rows: ReadonlyArray<CodecRow>,
  more: ReadonlyArray<CodecRow> | undefined
): ReadonlyArray<CodecRow> => {
  const added = (more ?? []).filter(({ id }) => !rows.some((row) => row.id === id))
  return added.length === 0 ? rows : [...rows, ...added]
}

const union = <A>(all: ReadonlyArray<A>, more: ReadonlyArray<A> | undefined): ReadonlyArray<A> =>
  more === undefined ? all : [...new Set([...all, ...more])]

/** The one edit that makes this state out of nothing. */
export const snapshotOf = (facts: ManifestFacts): ManifestEdit => ({
  encryptionName: facts.encryptionName,
  requiredFeatures: facts.requiredFeatures,
  logNumberMin: facts.logNumberMin,
  fileNumberNext: facts.fileNumberNext,
  sequencesReserved: facts.sequencesReserved,
  addTables: facts.tables,
  addValueFiles: facts.valueFiles,
  codecs: facts.codecs,
  cleanShutdown: facts.cleanShutdown,
  commitMillisMax: facts.commitMillisMax,
  snapshotEnd: true,
  lsnDurable: facts.lsnDurable,
  quarantine: facts.quarantine,
  historyFloor: facts.historyFloor,
  epoch: facts.epoch,
  epochId: facts.epochId,
  keyringNumber: facts.keyringNumber === 0 ? undefined : facts.keyringNumber
})
