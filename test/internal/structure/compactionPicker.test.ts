import { assert, describe, it } from "@effect/vitest"
import type { Merge, PickerInput } from "../../../src/internal/structure/compactionChoice.ts"
import { compactionLimits } from "../../../src/internal/structure/compactionLimits.ts"
import { choose, isManualPending } from "../../../src/internal/structure/compactionPicker.ts"
import { keyOf, mebibyte, picture, type PictureTable, shown, textOf } from "../../support/levelPicture.ts"

interface Example {
  readonly name: string
  readonly levels: string
  readonly more?: Partial<PickerInput<PictureTable>>
  readonly choice: string
}

const examples = (all: ReadonlyArray<Example>) =>
  it.each(all)("$name", ({ choice, levels, more }) => {
    assert.strictEqual(shown(choose(picture(levels, more))), choice)
  })

const claim = (smallest: string, largest: string, [level, output]: readonly [number, number]) => ({
  level,
  output,
  smallest: keyOf(smallest),
  largest: keyOf(largest)
})

const removal = (from: string, to: string, sequence: number) => ({ from: keyOf(from), to: keyOf(to), sequence })

// A bottom of 312 MiB, which needs no level between.
const bottom312 = `6 ${Array.from("abcdefghijklmnopqrstuvwxyz", (letter) => `${letter}..${letter}:12`).join(" ")}`
// A bottom of 600 MiB: one level between, which should hold 138 MiB.
const bottom600 = "6 a..f:150 g..l:150 m..r:150 s..z:150"

describe("level 0", () => {
  examples([
    { name: "is left alone below its trigger", levels: "0 a..z:16 a..z:16 a..z:16", choice: "nothing" },
    {
      name: "goes to the bottom at once in a small database",
      levels: "0 a..z:16 a..z:16 a..z:16 a..z:16",
      choice: "merge 1 | 2 | 3 | 4 to 6 (level0)"
    },
    {
      name: "takes what it overlaps there",
      levels: "0 c..h:16 c..h:16 c..h:16 c..h:16 \n 6 a..b:8 c..d:8 h..k:8 l..z:8",
      choice: "merge 1 | 2 | 3 | 4 | 6 7 to 6 (level0)"
    },
    {
      name: "is full by bytes too",
      levels: `0 a..z:40 a..z:40 \n ${bottom312}`,
      choice: "merge 1 | 2 | 3-28 to 6 (level0)"
    },
    {
      name: "goes to the level between in a larger database",
      levels: `0 a..z:16 a..z:16 a..z:16 a..z:16 \n 5 a..m:60 n..z:60 \n ${bottom600}`,
      choice: "merge 1 | 2 | 3 | 4 | 5 6 to 5 (level0)"
    },
    {
      name: "does not pass a level that is no longer needed",
      levels: "0 a..z:16 a..z:16 a..z:16 a..z:16 a..z:4 \n 4 a..z:1 \n 6 a..z:8",
      choice: "merge 1 | 2 | 3 | 4 | 5 | 6 to 4 (level0)"
    },
    {
      name: "moves a table that overlaps nothing",
      levels: "0 t..z:16 n..s:16 h..m:16 a..g:16",
      choice: "move 4 to 6 (level0)"
    },
    {
      name: "writes a table again that loses by it",
      levels: "0 t..z:16 n..s:16 h..m:16 a..g:16 d10",
      choice: "merge 4 to 6 (level0)"
    },
    {
      name: "moves removals that someone may still look behind",
      levels: "0 t..z:16 n..s:16 h..m:16 a..g:16 d10",
      more: { snapshots: [5, 1000] },
      choice: "move 4 to 6 (level0)"
    },
    {
      name: "leaves behind what overlaps nothing of the oldest",
      levels: "0 a..f:16 s..z:16 a..f:16 e..h:16 \n 6 a..z:8",
      choice: "merge 1 | 3 | 4 | 5 to 6 (level0)"
    },
    {
      name: "keeps a table back that overlaps an older one in a running merge",
      levels: "0 n..z:16 a..f:16 a..b:16 n..z:16 f..m:16* \n 6 n..z:8",
      choice: "merge 1 | 4 | 6 to 6 (level0)"
    },
    {
      name: "keeps a table back that a running merge below is in the way of",
      levels: "0 a..m:16 a..m:16 n..z:16 n..z:16 \n 6 a..m:8 n..z:8*",
      choice: "merge 1 | 2 | 5 to 6 (level0)"
    },
    {
      name: "keeps clear of the keys of a running merge, also where it has no table",
      levels: "0 a..m:16 a..m:16 n..z:16 n..z:16 \n 6 a..c:8",
      more: { running: [claim("p", "q", [5, 6])] },
      choice: "merge 1 | 2 | 5 to 6 (level0)"
    },
    {
      name: "keeps clear of them with what it overlaps, too",
      levels: `0 zz..zz:16 zz..zz:16 zz..zz:16 zz..zz:16 \n 5 y..zz:20 \n ${bottom600}`,
      more: { running: [claim("a", "z", [5, 6])] },
      choice: "nothing"
    },
    {
      name: "merges neighbours among themselves while the way down is taken",
      levels: "0 a..z:9 a..z:9 a..z:9 a..z:9 a..z:9* a..z:9* a..z:9* a..z:9* \n 6 a..z:8*",
      choice: "merge 1 | 2 | 3 | 4 to 0 (level0Relief)"
    },
    {
      name: "prefers small neighbours then",
      levels: "0 a..z:40 a..z:2 a..z:2 a..z:2 a..z:2 a..z:40 a..z:9* a..z:9* \n 6 a..z:8*",
      choice: "merge 2 | 3 | 4 | 5 to 0 (level0Relief)"
    },
    {
      name: "does not merge what stands on both sides of a running merge",
      levels: "0 a..z:1 a..z:1 a..z:1* a..z:1 a..z:1 a..z:1* a..z:1* a..z:1* \n 6 a..z:8*",
      choice: "nothing"
    },
    {
      name: "waits for the way down while it is short",
      levels: "0 a..z:9 a..z:9 a..z:9 a..z:9 a..z:9* a..z:9* a..z:9* \n 6 a..z:8*",
      choice: "nothing"
    },
    {
      name: "does not rewrite much below for little",
      levels: "0 a..z:1 a..z:1 a..z:1 a..z:9 \n 6 a..z:300",
      choice: "merge 1 | 2 | 3 to 0 (level0Relief)"
    }
  ])

  it("names older tables of level 0 as deeper, where the new table stays above them", () => {
    const level0 = "0 a..c:9* a..c:1 a..c:1 a..c:1 a..c:1 b..z:40* x..z:40* a..b:9* a..c:9*"
    const merge = choose(picture(`${level0} \n 6 b..d:8* x..z:8`)) as Merge<PictureTable>
    assert.strictEqual(shown(merge), "merge 2 | 3 | 4 | 5 to 0 (level0Relief)")
    const deeper = merge.deeper.map(({ meta }) => meta.number)
    assert.deepStrictEqual(deeper, [6, 8, 9, 10])
    assert.isAtLeast(merge.tableBytesMax, 4 * mebibyte)
    assert.lengthOf(merge.slices, 1)
  })
})

describe("the levels below", () => {
  examples([
    {
      name: "are left alone within their targets",
      levels: `5 a..m:60 n..z:60 \n ${bottom600}`,
      choice: "nothing"
    },
    {
      name: "give the table that overlaps least for its size",
      levels: `5 a..k:50 l..l:50 m..z:50 \n ${bottom600}`,
      choice: "merge 2 | 5 to 6 (size)"
    },
    {
      name: "count removals as what they remove",
      levels: `5 a..f:50 g..l:50 d40 m..r:50 \n ${bottom600}`,
      choice: "merge 2 | 5 to 6 (size)"
    },
    {
      name: "give the first of equals",
      levels: `5 a..f:50 g..l:50 m..r:50 \n ${bottom600}`,
      choice: "merge 1 | 4 to 6 (size)"
    },
    {
      name: "take neighbours that overlap nothing else",
      levels: "5 a..b:8 c..d:8 e..f:8 l..n:140 \n 6 a..f:30 g..l:270 m..z:300",
      choice: "merge 1-3 | 5 to 6 (size)"
    },
    {
      name: "take no more neighbours than one job writes",
      levels: "5 a..b:16 c..d:16 e..f:16 l..n:100 \n 6 a..f:40 g..l:260 m..z:300",
      choice: "merge 1 | 5 to 6 (size)"
    },
    {
      name: "move a table that overlaps nothing",
      levels: "5 a..k:70 l..l:70 \n 6 a..k:300 m..z:300",
      choice: "move 2 to 6 (size)"
    },
    {
      name: "go around running merges",
      levels: `5 a..f:50 g..l:50 m..r:50 \n 6 a..f:150* g..l:150 m..r:150 s..z:150`,
      choice: "merge 2 | 5 to 6 (size)"
    },
    {
      name: "go around what a running merge will write",
      levels: `5 a..f:50 g..k:50 m..r:50 \n ${bottom600}`,
      more: { running: [claim("c", "d", [4, 5])] },
      choice: "merge 2 | 5 to 6 (size)"
    },
    {
      name: "go around what a running merge will write below, also behind what they overlap there",
      levels: `5 c..f:50 g..k:50 m..r:50 \n ${bottom600}`,
      more: { running: [claim("a", "b", [6, 6])] },
      choice: "merge 2 | 5 to 6 (size)"
    },
    {
      name: "do not mind running merges of other levels",
      levels: `5 c..f:50 g..k:50 m..r:50 \n ${bottom600}`,
      more: { running: [claim("a", "z", [3, 4])] },
      choice: "merge 1 | 4 to 6 (size)"
    },
    {
      name: "do not mind merges within level 0",
      levels: `5 c..f:50 g..k:50 m..r:50 \n ${bottom600}`,
      more: { running: [claim("a", "z", [0, 0])] },
      choice: "merge 1 | 4 to 6 (size)"
    },
    {
      name: "go before level 0 where they are fuller",
      levels: `0 a..z:16 a..z:16 a..z:16 a..z:16 \n 5 a..k:100 l..l:100 m..z:100 \n ${bottom600}`,
      choice: "merge 6 | 9 to 6 (size)"
    },
    {
      name: "come after level 0 where it is fuller",
      levels: `0 ${"a..z:4 ".repeat(8)} \n 5 a..k:60 l..l:60 m..z:60 \n ${bottom600}`,
      choice: "merge 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9-11 to 5 (level0)"
    },
    {
      name: "are emptied when they are no longer needed",
      levels: "4 a..c:8 m..n:8 \n 6 a..b:8 y..z:8",
      choice: "move 2 to 6 (unneededLevel)"
    }
  ])

  it("do not move a table over too much of the level below", () => {
    const limits = { ...compactionLimits, levelCount: 4, grandparentTables: 1 }
    const levels = "1 a..m:0.1 \n 3 a..f:150 g..l:150 m..r:150 s..z:150"
    assert.strictEqual(shown(choose(picture(levels), limits)), "merge 1 to 2 (unneededLevel)")
    assert.strictEqual(
      shown(choose(picture(levels), { ...limits, grandparentTables: 99 })),
      "move 1 to 2 (unneededLevel)"
    )
  })

  it("are told what a merge is above of", () => {
    const levels = `0 c..d:70 \n 5 a..c:16 d..d:16 f..z:16 \n ${bottom600}`
    const merge = choose(picture(levels)) as Merge<PictureTable>
    assert.strictEqual(shown(merge), "merge 1 | 2 3 to 5 (level0)")
    assert.deepStrictEqual(
      merge.deeper.map(({ meta }) => meta.number),
      [5]
    )
    assert.deepStrictEqual(merge.grandparents, merge.deeper)
    assert.strictEqual(merge.tableBytesMax, 8 * mebibyte)
    const { largest, level, output, smallest } = merge.claim
    assert.deepStrictEqual([textOf(smallest), textOf(largest), level, output], ["a", "d", 0, 5])
  })
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
