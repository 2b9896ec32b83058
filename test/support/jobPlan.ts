// Random jobs, and a model of what they may and must keep: histories of a few keys, cut by time into sources, with
// snapshots in between. The model looks at everything for every question.
import { concatBytes } from "../../src/internal/format/bytes.ts"
import { type Codec, CodecId } from "../../src/internal/format/codec.ts"
import { FileKind } from "../../src/internal/format/fileHeader.ts"
import { Kind, recordBytes, recordFields, writeRecord } from "../../src/internal/format/record.ts"
import { checksumSealer } from "../../src/internal/format/sealer.ts"
import { TableBuilder } from "../../src/internal/format/tableBuilder.ts"
import type { TableMeta } from "../../src/internal/format/tableMeta.ts"
import type { FrozenMemtable } from "../../src/internal/structure/frozenMemtable.ts"
import type { JobSetup, JobWork } from "../../src/internal/structure/jobWork.ts"
import type { KeySpan } from "../../src/internal/structure/versionSource.ts"
import { latin1, type Plain, plain, toView } from "../internal/format/entries.ts"
import type { Dice } from "../internal/format/support.ts"

/** Keys as latin-1 strings, which sort as their bytes do. */
export interface PlainRemoval {
  readonly from: string
  readonly to: string
  readonly sequence: number
}

export interface Held {
  readonly points: ReadonlyArray<Plain>
  readonly removals: ReadonlyArray<PlainRemoval>
}

export const header = {
  databaseId: new Uint8Array(16).fill(7),
  incarnation: new Uint8Array(16).fill(9),
  epoch: 3,
  format: 0,
  tagBytes: 4,
  keyGeneration: 0
} as const

export const fileOf = (number: number) => ({ number, fileId: new Uint8Array(32).fill(number) })

export const setupOf = (options: Partial<JobSetup> = {}): JobSetup => ({
  ...header,
  blockBytes: 128,
  compressedBlockBytes: 512,
  filterBitsPerKey: 10,
  // Some tables have partitioned indexes.
  indexBytesMax: 200,
  tableCodec: CodecId.none,
  valuesCodec: CodecId.none,
  files: [],
  ...options
})

export const byKey = (a: Plain, b: Plain): number => {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1
  return b.sequence - a.sequence
}

/** The bytes of a table, and what the manifest would pin. */
export const tableOf = (
  held: Held,
  place: {
    readonly number: number
    readonly level?: number
    readonly blockBytes?: number
    readonly codec?: Codec | undefined
  }
): { readonly meta: TableMeta; readonly bytes: Uint8Array } => {
  const { fileId, number } = fileOf(place.number)
  const builder = new TableBuilder({
    header: { ...header, kind: FileKind.table, fileNumber: number, fileId },
    blockBytes: place.blockBytes ?? 128,
    filterBitsPerKey: 10,
    indexBytesMax: 200,
    sealer: checksumSealer,
    codec: place.codec
  })
  for (const point of [...held.points].sort(byKey)) builder.add(toView(point))
  for (const { from, sequence, to } of held.removals) {
    builder.addRangeRemoval({ from: latin1(from), to: latin1(to), sequence })
  }
  const { chunks, facts } = builder.finish()
  return { meta: { ...facts, level: place.level ?? 1 }, bytes: concatBytes(chunks) }
}

/** Records in an arena, in an order of their own, and the list of them in table order. */
export const memtableOf = (held: Held): FrozenMemtable => {
  const offsets = new Map<Plain, number>()
  const records = held.points.map((point) => {
    const fields = recordFields({
      kind: point.kind,
      key: latin1(point.key),
      value: latin1(point.value),
      expiresAt: point.expiresAt,
      userMeta: point.userMeta
    })
    const bytes = new Uint8Array(recordBytes(fields))
    writeRecord(bytes, 0, fields)
    return { point, bytes }
  })
  let used = 0
  for (const { bytes, point } of [...records].reverse()) {
    offsets.set(point, used)
    used += bytes.length
  }
  const versions = [...held.points]
    .sort(byKey)
    .flatMap((point) => [offsets.get(point)!, point.sequence >>> 0, Math.floor(point.sequence / 2 ** 32)])
  return {
    bytes: concatBytes([...records].reverse().map(({ bytes }) => bytes)),
    versions: Uint32Array.from(versions),
    rangeRemovals: held.removals.map(({ from, sequence, to }) => ({ from: latin1(from), to: latin1(to), sequence }))
  }
}

/** What a reader of everything held finds of a key: its newest version that is not hidden, or nothing. */
export const readAt = (
  all: ReadonlyArray<Held>,
  key: string,
  reader: { readonly sequence: number; readonly nowMillis: number }
): string | undefined => {
  const versions = all.flatMap(({ points }) => points).filter((point) => point.key === key)
  const seen = versions.filter(({ sequence }) => sequence <= reader.sequence).sort(byKey)[0]
  if (seen === undefined || seen.kind === Kind.remove) return undefined
  if (seen.expiresAt > 0 && seen.expiresAt <= reader.nowMillis) return undefined
  const removals = all.flatMap(({ removals }) => removals)
  const hidden = removals.some(
    ({ from, sequence, to }) => from <= key && key < to && seen.sequence < sequence && sequence <= reader.sequence
  )
  return hidden ? undefined : `${seen.sequence}:${seen.value}:${seen.userMeta}:${seen.expiresAt}`
}

/** The points that a job over the sources keeps, by the words of retention.ts and nothing cleverer. */
export const keptPoints = (
  sources: ReadonlyArray<Held>,
  work: Pick<JobWork, "snapshots" | "nowMillis"> & {
    readonly from: string | undefined
    readonly to: string | undefined
  },
  isDeeper: (key: string) => boolean
): ReadonlyArray<Plain> => {
  const { from, nowMillis, snapshots, to } = work
  const removals = sources.flatMap(({ removals }) => removals)
  const unique = new Map(
    sources.flatMap(({ points }) => points).map((point) => [`${point.key}|${point.sequence}`, point])
  )
  const points = [...unique.values()]
    .filter(({ key }) => (from === undefined || key >= from) && (to === undefined || key < to))
    .sort(byKey)
  const isSeen = (point: Plain): boolean => {
    if (point.sequence > (snapshots.at(-1) ?? -1)) return true
    return snapshots.some((snapshot) => {
      if (point.sequence > snapshot) return false
      const newest = points.find(({ key, sequence }) => key === point.key && sequence <= snapshot)
      const hidden = removals.some(
        ({ from, sequence, to }) =>
          from <= point.key && point.key < to && sequence <= snapshot && sequence > point.sequence
      )
      return newest === point && !hidden
    })
  }
  return points
    .filter(isSeen)
    .map((point) =>
      point.expiresAt > 0 && point.expiresAt <= nowMillis
        ? plain(point.key, { kind: Kind.remove, sequence: point.sequence })
        : point
    )
    .filter(
      ({ key, kind, sequence }) =>
        kind !== Kind.remove || snapshots.length === 0 || sequence > snapshots[0]! || isDeeper(key)
    )
}

export interface Plan {
  /** Newest first; the memtables, the runs, and what is not of the job. */
  readonly memtables: ReadonlyArray<Held>
  readonly runs: ReadonlyArray<ReadonlyArray<Held>>
  readonly deeper: ReadonlyArray<Held>
  readonly span: { readonly from: string | undefined; readonly to: string | undefined }
  readonly snapshots: ReadonlyArray<number>
  readonly nowMillis: number
  readonly tableBytesMax: number
  readonly blockBytes: number
  /** Every key of the plan and some neighbours. */
  readonly keys: ReadonlyArray<string>
  readonly sequenceMax: number
}

const letters = ["\0", "a", "b", "c", "d", "\xff"]

const randomKey = (dice: Dice): string => {
  let key = dice.pick(letters.slice(1))
  while (dice.chance(0.4)) key += dice.pick(letters)
  return dice.chance(0.05) ? "" : key
}

const randomHistory = (dice: Dice, names: ReadonlyArray<string>, count: number): Held => {
  const points: Array<Plain> = []
  const removals: Array<PlainRemoval> = []
  const removalChance = dice.pick([0, 0.05, 0.2, 0.5])
  let sequence = dice.chance(0.9) ? 0 : 2 ** 32 - 10
  for (let index = 0; index < count; index++) {
    sequence += 1 + dice.below(2)
    // A commit: some keys at one sequence, each once, beside a range removal that they are not hidden by.
    if (dice.chance(removalChance)) {
      const [from, to] = [dice.pick(names), dice.chance(0.3) ? `${dice.pick(names)}\0` : dice.pick(names)].sort()
      if (from! < to!) removals.push({ from: from!, to: to!, sequence })
    }
    const written = new Set(Array.from({ length: dice.below(3) }, () => dice.pick(names)))
    for (const key of written) {
      if (dice.chance(0.25)) points.push(plain(key, { kind: Kind.remove, sequence }))
      else {
        const value = `${sequence}`.padEnd(dice.pick([2, 2, 30, 100]), "v")
        const expiresAt = dice.chance(0.3) ? 1 + dice.below(100) : 0
        points.push(plain(key, { value, sequence, expiresAt, userMeta: dice.chance(0.2) ? 5 : 0 }))
      }
    }
  }
  return { points, removals }
}

const between = ({ points, removals }: Held, after: number, upTo: number): Held => ({
  points: points.filter(({ sequence }) => sequence > after && sequence <= upTo),
  removals: removals.filter(({ sequence }) => sequence > after && sequence <= upTo)
})

/** What a run holds, cut into tables behind some of its keys. */
export const splitRun = ({ points, removals }: Held, cuts: ReadonlyArray<string>): ReadonlyArray<Held> => {
  const ends = [...new Set(cuts.map((key) => `${key}\0`))].sort()
  return [...ends, undefined]
    .map((to, index): Held => {
      const from = index === 0 ? "" : ends[index - 1]!
      return {
        points: points.filter(({ key }) => key >= from && (to === undefined || key < to)),
        removals: removals.flatMap((removal) => {
          const start = removal.from > from ? removal.from : from
          const end = to === undefined || removal.to < to ? removal.to : to
          return start < end ? [{ from: start, to: end, sequence: removal.sequence }] : []
        })
      }
    })
    .filter(({ points, removals }) => points.length + removals.length > 0)
}

export const randomPlan = (dice: Dice): Plan => {
  const names = [...new Set(Array.from({ length: 1 + dice.below(14) }, () => randomKey(dice)))].sort()
  const history = randomHistory(dice, names, dice.below(60))
  const all = [...history.points, ...history.removals].map(({ sequence }) => sequence)
  const sequenceMin = Math.min(...all, Number.MAX_SAFE_INTEGER)
  const sequenceMax = Math.max(...all, 0)
  const some = () => (all.length === 0 ? 0 : dice.pick(all) - dice.below(2))
  const ages = [sequenceMin - 1, some(), some(), some(), some(), sequenceMax].sort((a, b) => a - b)
  const slices = ages.slice(1).map((upTo, index) => between(history, ages[index]!, upTo))
  // A version may also be in the next older source: a flush that was made twice.
  if (dice.chance(0.3)) {
    const [newer, older] = [slices[3]!, slices[2]!]
    slices[2] = { ...older, points: [...older.points, ...newer.points.filter(() => dice.chance(0.3))] }
  }
  const cuts = () => names.filter(() => dice.chance(0.25))
  const [deeper, old, middle, newer, newest] = slices as [Held, Held, Held, Held, Held]
  const ends = [undefined, undefined, ...names, ...names.map((name) => `${name}\0`)]
  const [first, second] = [dice.pick(ends), dice.pick(ends)]
  const ordered = first !== undefined && second !== undefined && first > second
  return {
    memtables: dice.chance(0.5) ? [newest] : [newest, newer],
    runs: [middle, old].map((run) => splitRun(run, cuts())),
    deeper: splitRun(deeper, cuts()),
    span: ordered ? { from: second, to: first } : { from: first, to: second },
    snapshots: [...new Set(Array.from({ length: dice.below(5) }, some))].sort((a, b) => a - b),
    nowMillis: dice.below(100),
    tableBytesMax: dice.pick([1, 300, 700, 2 ** 20]),
    blockBytes: dice.pick([64, 128, 4096]),
    keys: [...new Set(names.flatMap((name) => [name, `${name}\0`, `${name}a`, name.slice(0, -1)]))],
    sequenceMax
  }
}

/** The sources of the plan's job, newest first. If the second memtable is not of the job, nobody has it. */
export const sourcesOf = (plan: Plan): ReadonlyArray<Held> => [...plan.memtables, ...plan.runs.flat()]

export const spanOf = ({ span }: Plan): KeySpan => ({
  from: span.from === undefined ? undefined : latin1(span.from),
  to: span.to === undefined ? undefined : latin1(span.to)
})
