// Tables and value files with some dead values, for collecting them, and what must be left of them.
import { Kind } from "../../src/internal/format/record.ts"
import type { JobResult } from "../../src/internal/structure/jobRequest.ts"
import type { CollectWork } from "../../src/internal/structure/jobWork.ts"
import type { Dice } from "../internal/format/support.ts"
import type { Plain } from "../internal/format/entries.ts"
import type { Held } from "./jobPlan.ts"
import { handleOf } from "./separatedValues.ts"

/** A job on some of the files, for which only some of the tables count. */
export const randomCollect = (dice: Dice, made: JobResult, fileBytesMax: number): CollectWork => {
  const share = dice.pick([0, 0.2, 0.5, 0.9, 1])
  const tables = made.tables.filter(() => dice.chance(share))
  const files = made.valueFiles.filter(() => dice.chance(0.7))
  const ids = new Set(files.flatMap(({ sections }) => sections.map(({ id }) => id)))
  return {
    _tag: "Collect",
    files,
    tables: tables.filter(({ valueRefs }) => valueRefs.some(({ file }) => ids.has(file))),
    fileBytesMax
  }
}

/** `id:index` of the values that tables of these contents name. */
export const namedBy = (held: ReadonlyArray<Held>): ReadonlySet<string> =>
  new Set(held.flatMap(({ points }) => points.filter(isHandle).map(handleOf)).map((one) => `${one.file}:${one.index}`))

const isHandle = ({ kind }: Plain): boolean => kind === Kind.valueHandle

/** What must be left: the values that are named, as they were, by id and index. */
export const survivors = (before: ReadonlyArray<string>, named: ReadonlySet<string>): ReadonlyArray<string> =>
  before.filter((value) => named.has(value.split(":", 2).join(":"))).sort(byPlace)

export const byPlace = (a: string, b: string): number => {
  const [[idA, indexA], [idB, indexB]] = [a, b].map((value) => value.split(":", 2).map(Number)) as [
    [number, number],
    [number, number]
  ]
  return idA - idB || indexA - indexB
}
