// What the edits of a manifest amount to: an immutable value, and how an edit changes it.
//
//   removals come before additions; a removed table must be there, an added one must not
//   commitMillisMax, lsnDurable and fileNumberNext only grow, logNumberMin must not go back
//   a clean shutdown is the last thing that an epoch says: the next edit of any kind takes it back
import { assert } from "../format/formatError.ts"
import type { ManifestEdit } from "../format/manifestEdit.ts"
import type { TableMeta } from "../format/tableMeta.ts"

export interface ManifestFacts {
  readonly epoch: number
  readonly encryptionName: string
  readonly requiredFeatures: ReadonlyArray<string>
  readonly tables: ReadonlyArray<TableMeta>
  readonly logNumberMin: number
  readonly fileNumberNext: number
  readonly sequencesReserved: number
  readonly commitMillisMax: number
  readonly lsnDurable: number
  readonly historyFloor: number
  readonly quarantine: ReadonlyArray<number>
  readonly cleanShutdown: { readonly lastLsn: number; readonly lastSequence: number } | undefined
}

/** Before any edit. */
export const noFacts: ManifestFacts = {
  epoch: 0,
  encryptionName: "",
  requiredFeatures: [],
  tables: [],
  logNumberMin: 0,
  fileNumberNext: 1,
  sequencesReserved: 0,
  commitMillisMax: 0,
  lsnDurable: 0,
  historyFloor: 0,
  quarantine: [],
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
  if ((edit.logNumberMin ?? facts.logNumberMin) < facts.logNumberMin) {
    return `the first log segment goes back from ${facts.logNumberMin} to ${edit.logNumberMin}`
  }
  return (edit.epoch ?? facts.epoch) < facts.epoch ? `epoch ${edit.epoch} follows ${facts.epoch}` : undefined
}

/** The state after the edit, which must have no problem. */
export const applyEdit = (facts: ManifestFacts, edit: ManifestEdit): ManifestFacts => {
  assert(problemOf(facts, edit) === undefined, "an edit follows the state")
  const removed = new Set(edit.removeTables)
  const kept = removed.size === 0 ? facts.tables : facts.tables.filter((table) => !removed.has(table.number))
  return {
    epoch: edit.epoch ?? facts.epoch,
    encryptionName: edit.encryptionName ?? facts.encryptionName,
    requiredFeatures: union(facts.requiredFeatures, edit.requiredFeatures),
    tables: edit.addTables === undefined ? kept : [...kept, ...edit.addTables],
    logNumberMin: edit.logNumberMin ?? facts.logNumberMin,
    fileNumberNext: Math.max(facts.fileNumberNext, edit.fileNumberNext ?? 0),
    sequencesReserved: edit.sequencesReserved ?? facts.sequencesReserved,
    commitMillisMax: Math.max(facts.commitMillisMax, edit.commitMillisMax ?? 0),
    lsnDurable: Math.max(facts.lsnDurable, edit.lsnDurable ?? 0),
    historyFloor: edit.historyFloor ?? facts.historyFloor,
    quarantine: union(facts.quarantine, edit.quarantine),
    cleanShutdown: edit.cleanShutdown
  }
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
  cleanShutdown: facts.cleanShutdown,
  commitMillisMax: facts.commitMillisMax,
  snapshotEnd: true,
  lsnDurable: facts.lsnDurable,
  quarantine: facts.quarantine,
  historyFloor: facts.historyFloor,
  epoch: facts.epoch
})
