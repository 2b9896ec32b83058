import { assert, describe, it } from "@effect/vitest"
import type { Merge } from "../../../src/internal/structure/compactionChoice.ts"
import { choose, isManualPending } from "../../../src/internal/structure/compactionPicker.ts"
import type { RangeRemoval } from "../../../src/internal/format/table.ts"
import { keyOf, numbersOf, picture, type PictureTable, shown } from "../../support/levelPicture.ts"
import { bottom312, bottom600, examples } from "../../support/pickerExamples.ts"

const removal = (from: string, to: string, sequence: number): RangeRemoval => ({
  from: keyOf(from),
  to: keyOf(to),
  sequence
})

describe("removals", () => {
  examples([
    {
      name: "go down where they are most of a table",
      levels: "5 a..f:8 d60 g..l:8 \n 6 a..f:60 g..z:540",
      choice: "merge 1 | 3 to 6 (removals)"
    },
    {
      name: "do not where they are too few for what it costs",
      levels: `5 a..f:0.01 d60 g..l:8 \n ${bottom600}`,
      choice: "nothing"
    },
    {
      name: "do at rest, if it costs little",
      levels: "0 a..c:0.5 d1 \n 6 a..c:4 d..z:8",
      more: { idle: true },
      choice: "merge 1 | 2 to 6 (idleRemovals)"
    },
    {
      name: "go down where a scan met them",
      levels: `5 a..f:8 d20 g..l:8 d20 \n ${bottom600}`,
      more: { crowded: [{ from: keyOf("h"), to: keyOf("i") }] },
      choice: "merge 2 | 4 to 6 (crowded)"
    },
    {
      name: "of the bottom go when nobody looks behind them",
      levels: "6 a..f:8 d60 g..l:8",
      choice: "merge 1 to 6 (bottomGarbage)"
    },
    {
      name: "of the bottom stay while someone does",
      levels: "6 a..f:8 d60 @7 g..l:8",
      more: { snapshots: [6, 1000] },
      choice: "nothing"
    },
    { name: "of the bottom stay while they are few", levels: "6 a..f:8 d20", choice: "nothing" },
    {
      name: "of the bottom go at rest",
      levels: "6 a..f:8 d20",
      more: { idle: true },
      choice: "merge 1 to 6 (bottomGarbage)"
    }
  ])
})

describe("hidden versions", () => {
  examples([
    {
      name: "go when their snapshots are closed",
      levels: `5 a..f:8 g..l:8 h70 \n ${bottom600}`,
      choice: "merge 2 to 5 (bottomGarbage)"
    },
    {
      name: "go where a scan met them, though they are few",
      levels: "6 a..f:8 h15 g..l:8 h15",
      more: { crowded: [{ from: keyOf("h"), to: keyOf("i") }] },
      choice: "merge 2 to 6 (crowded)"
    },
    {
      name: "stay in a table that a running merge reads",
      levels: `5 a..f:8* h70 g..l:8 h70 \n ${bottom600}`,
      choice: "merge 2 to 5 (bottomGarbage)"
    },
    {
      name: "stay while a snapshot may see them",
      levels: `5 a..f:8 g..l:8 h70 @7 \n ${bottom600}`,
      more: { snapshots: [6, 1000] },
      choice: "nothing"
    }
  ])
})

describe("range removals", () => {
  examples([
    {
      name: "drop tables that they hide from everybody",
      levels: "0 b..p:0.1 r @50 \n 6 a..b:8 @10 c..f:8 @10 g..m:8 @60 n..o:8 @10 p..z:8 @10",
      more: { rangeRemovals: [removal("b", "p", 50)] },
      choice: "drop 3 5"
    },
    {
      name: "drop nothing that a snapshot sees",
      levels: "0 b..p:0.1 r @50 \n 6 c..f:8 @10",
      more: { rangeRemovals: [removal("b", "p", 50)], snapshots: [49, 1000] },
      choice: "nothing"
    },
    {
      name: "drop nothing that a running merge reads",
      levels: "0 b..p:0.1 r @50 \n 6 c..f:8* @10",
      more: { rangeRemovals: [removal("b", "p", 50)] },
      choice: "nothing"
    },
    {
      name: "drop a table that several of them hide together",
      levels: "6 c..f:8 @10",
      more: { rangeRemovals: [removal("e", "p", 50), removal("b", "e", 40)] },
      choice: "drop 1"
    },
    {
      name: "drop nothing with a key between them",
      levels: "6 c..f:8 @10",
      more: { rangeRemovals: [removal("f", "p", 50), removal("b", "e", 40)] },
      choice: "nothing"
    },
    {
      name: "drop nothing that ends where they end",
      levels: "6 c..f:8 @10",
      more: { rangeRemovals: [removal("b", "f", 50)] },
      choice: "nothing"
    },
    {
      name: "count what they hide and a running merge reads, and wait for it",
      levels: "0 d..p:0.01 r @50 \n 6 a..f:90 @10 g..h:8* @10 i..z:90 @10",
      more: { idle: true, rangeRemovals: [removal("d", "p", 50)] },
      choice: "nothing"
    },
    {
      name: "stay at rest above what is newer than they are",
      levels: "0 d..p:0.01 r @70 \n 6 a..f:90 @60 g..z:90 @60",
      more: { idle: true, rangeRemovals: [removal("d", "p", 50)] },
      choice: "nothing"
    },
    {
      name: "go down at rest for what they touch",
      levels: "0 d..p:0.01 r @50 \n 6 a..f:90 @10 g..z:90 @10",
      more: { idle: true, rangeRemovals: [removal("d", "p", 50)] },
      choice: "merge 1 | 2 3 to 6 (idleRemovals)"
    }
  ])
})

describe("a database at rest", () => {
  examples([
    {
      name: "rests where little can be hidden",
      levels: "0 a..z:16 a..z:16 \n 6 a..z:300",
      more: { idle: true },
      choice: "nothing"
    },
    {
      name: "merges down what may hide more",
      levels: `0 a..z:20 a..z:20 a..z:5 \n ${bottom312}`,
      more: { idle: true },
      choice: "merge 1 | 2 | 3 | 4-29 to 6 (idleGarbage)"
    },
    {
      name: "merges level 0 down where its tables hide each other",
      levels: "0 a..z:5 a..z:5",
      more: { idle: true },
      choice: "merge 1 | 2 to 6 (idleGarbage)"
    },
    {
      name: "does not while something is written",
      levels: `0 a..z:20 a..z:20 a..z:5 \n ${bottom312}`,
      choice: "nothing"
    },
    {
      name: "lets new keys be",
      levels: "0 x..z:20 t..w:20 p..s:5 \n 6 a..o:300",
      more: { idle: true },
      choice: "nothing"
    },
    {
      name: "merges the level that hides most",
      levels: `0 a..z:5 \n 5 a..f:60 g..z:60 \n ${bottom600}`,
      more: { idle: true },
      choice: "merge 2 | 4 to 6 (idleGarbage)"
    },
    {
      name: "merges down what names values, where older tables may name those that these overwrote",
      levels: "0 a..z:1 v40 \n 6 a..z:30 v1000",
      more: { idle: true },
      choice: "merge 1 | 2 to 6 (idleValues)"
    },
    {
      name: "does not for few values",
      levels: "0 a..m:1 v25 \n 6 a..m:30 v1000",
      more: { idle: true },
      choice: "nothing"
    },
    {
      name: "does not for values that are less than what it would write",
      levels: "0 a..m:1 v30 \n 6 a..m:30 v1000",
      more: { idle: true },
      choice: "nothing"
    },
    {
      name: "does not for values of new keys",
      levels: "0 n..z:1 v900 \n 6 a..m:30 v1000",
      more: { idle: true },
      choice: "nothing"
    },
    {
      name: "lets removals be that gain nothing for what they cost",
      levels: "0 a..z:0.5 d2 \n 6 a..z:300",
      more: { idle: true },
      choice: "nothing"
    },
    {
      name: "merges removals down that gain enough",
      levels: "0 a..z:8 d50 \n 6 a..z:300",
      more: { idle: true },
      choice: "merge 1 | 2 to 6 (idleRemovals)"
    }
  ])
})

describe("small tables", () => {
  examples([
    {
      name: "become one where they are neighbours",
      levels: "6 a..b:1 c..d:1 e..f:8 g..h:0.9 i..j:0.9 k..l:0.9 m..n:0.9 o..p:0.9",
      choice: "merge 4-7 to 6 (smallTables)"
    },
    { name: "stay while they are few", levels: "6 a..b:1 c..d:1 e..f:1 g..z:8", choice: "nothing" },
    {
      name: "stay where a running merge reads one",
      levels: "6 a..b:1 c..d:1* e..f:1 g..h:1 i..j:1",
      choice: "nothing"
    }
  ])
})

describe("a row of small tables", () => {
  it("is not cut again where tables below end", () => {
    const merge = choose(picture(`5 a..b:1 c..d:1 e..f:1 g..h:1 \n ${bottom600}`)) as Merge<PictureTable>
    assert.strictEqual(shown(merge), "merge 1-4 to 5 (smallTables)")
    assert.deepStrictEqual(merge.grandparents, [])
    assert.strictEqual(numbersOf(merge.deeper), "5 6")
  })
})

describe("by hand", () => {
  const manual = { from: keyOf("c"), to: keyOf("e"), sequence: 1000 }
  examples([
    {
      name: "a range goes down from level 0",
      levels: "0 x..z:1 d..d:1 a..d:1 x..z:1 \n 6 a..c:8 d..f:8",
      more: { manual },
      choice: "merge 2 | 3 | 5 6 to 6 (manual)"
    },
    {
      name: "a range goes down level by level",
      levels: `5 a..b:8 c..d:8 e..f:8 \n ${bottom600}`,
      more: { manual },
      choice: "merge 2 | 4 to 6 (manual)"
    },
    {
      name: "removals of the bottom go",
      levels: "6 a..c:8 d1 d..f:8",
      more: { manual },
      choice: "merge 1 to 6 (manual)"
    },
    {
      name: "what is at the bottom is done",
      levels: "0 f..g:1 \n 6 a..c:8 d..f:8",
      more: { manual },
      choice: "nothing"
    },
    {
      name: "what was written since does not count",
      levels: "0 c..d:1 @700 \n 6 a..c:8 d..f:8",
      more: { manual: { ...manual, sequence: 699 } },
      choice: "nothing"
    },
    {
      name: "writers that wait come first",
      levels: `0 ${"x..z:4 ".repeat(12)} \n 5 c..d:8 \n ${bottom600}`,
      more: { manual },
      choice: `merge ${Array.from({ length: 12 }, (_, index) => index + 1).join(" | ")} to 5 (level0)`
    }
  ])

  it("it is pending while a running merge has it", () => {
    assert.isTrue(isManualPending(picture("0 c..d:1* \n 6 a..z:8*", { manual })))
    assert.isFalse(isManualPending(picture("0 e..g:1* \n 6 a..z:8*", { manual })))
    assert.isFalse(isManualPending(picture("0 c..d:1 @700 \n 6 a..z:8", { manual: { ...manual, sequence: 699 } })))
  })
})
