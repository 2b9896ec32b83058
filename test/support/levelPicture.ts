// Levels as text, and choices as text, for examples:
//
//   picture(`
//     0  a..z:16  a..z:16
//     6  a..m:8*  n..z:8 d60
//   `)
//
// A line is a level; of level 0 the newest table comes first. A table is its first and last key and its size in MiB;
// `*` says that a running merge reads it. Behind it may stand: `d60`, 60 % of its entries are removals; `h10`, 10 % are
// hidden by newer ones in it; `r`, it holds range removals; `v8`, it names 8 MiB in value files; `k2`, it is sealed
// with the data key of generation 2, or without it, of 1; `c1`, it was compressed by codec 1; `@7`, its sequences are
// 7. Without it, tables that come earlier have higher ones, from 900 down. Tables are numbered from 1 as they come. An
// entry with a value is 1 KiB.
import type { Choice, PickerInput, PickerTable } from "../../src/internal/structure/compactionChoice.ts"
import { runsOf } from "../../src/internal/structure/levels.ts"

export const mebibyte = 2 ** 20

export interface PictureTable {
  readonly meta: PickerTable
}

export const keyOf = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.codePointAt(0)!)

export const textOf = (key: Uint8Array): string => String.fromCodePoint(...key)

export const picture = (text: string, more: Partial<PickerInput<PictureTable>> = {}): PickerInput<PictureTable> => {
  const tables: Array<PictureTable> = []
  const busy = new Set<number>()
  for (const line of text.trim().split("\n")) {
    const level = Number.parseInt(line.trim(), 10)
    for (const match of line.matchAll(/(\w+)\.\.(\w+):([\d.]+)(\*?)((?: (?:[cdhkv@]\d+|r)(?= |$))*)/g)) {
      const number = tables.length + 1
      const [, smallest, largest, size, star, marks] = match as unknown as ReadonlyArray<string>
      if (star !== "") busy.add(number)
      const facts = { number, level, bytes: Number(size) * mebibyte }
      tables.push({
        meta: { ...facts, smallest: keyOf(smallest!), largest: keyOf(largest!), ...marked(facts, marks!) }
      })
    }
  }
  return { runs: runsOf(tables), busy, running: [], snapshots: [1000], idle: false, rangeRemovals: [], ...more }
}

const marked = ({ bytes, number }: { readonly bytes: number; readonly number: number }, marks: string) => {
  const entryCount = bytes / 1024
  const share = (letter: string): number => Number(new RegExp(`${letter}(\\d+)`).exec(marks)?.[1] ?? 0) / 100
  const rangeRemovalCount = marks.includes(" r") ? 1 : 0
  const sequence = Number(/@(\d+)/.exec(marks)?.[1] ?? 901 - number)
  return {
    entryCount,
    rangeRemovalCount,
    removeCount: Math.round(entryCount * share("d")) + rangeRemovalCount,
    valueRefs: [{ bytes: mebibyte * Number(/v(\d+)/.exec(marks)?.[1] ?? 0) }],
    hiddenCount: Math.round(entryCount * share("h")),
    keyGeneration: Number(/k(\d+)/.exec(marks)?.[1] ?? 1),
    codec: Number(/c(\d+)/.exec(marks)?.[1] ?? 0),
    sequenceMin: sequence,
    sequenceMax: sequence
  }
}

/** `merge 1 | 2 3 | 4-9 to 6 (level0)`: the runs, from the newest, by the numbers of their tables. */
export const shown = (choice: Choice<PictureTable>): string => {
  switch (choice._tag) {
    case "Nothing":
      return "nothing"
    case "Move":
      return `move ${choice.table.meta.number} to ${choice.level} (${choice.reason})`
    case "Drop":
      return `drop ${numbersOf(choice.tables)}`
    case "Merge": {
      const runs = choice.inputs.map(({ tables }) => numbersOf(tables))
      return `merge ${runs.join(" | ")} to ${choice.level} (${choice.reason})`
    }
  }
}

export const numbersOf = (tables: ReadonlyArray<PictureTable>): string => {
  const rows: Array<ReadonlyArray<number>> = []
  for (const { meta } of tables) {
    const row = rows.at(-1) ?? []
    if (row.at(-1) === meta.number - 1) rows[rows.length - 1] = [...row, meta.number]
    else rows.push([meta.number])
  }
  return rows.map((row) => (row.length < 3 ? row.join(" ") : `${row[0]}-${row.at(-1)}`)).join(" ")
}
