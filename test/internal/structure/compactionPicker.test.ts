import { assert, describe, it } from "@effect/vitest"
import type { Merge } from "../../../src/internal/structure/compactionChoice.ts"
import { compactionLimits } from "../../../src/internal/structure/compactionLimits.ts"
import { choose } from "../../../src/internal/structure/compactionPicker.ts"
import { mebibyte, picture, type PictureTable, shown, textOf } from "../../support/levelPicture.ts"
import { bottom312, bottom600, claim, examples } from "../../support/pickerExamples.ts"

describe("after a full disk was met", () => {
  it.each([
    {
      name: "fewer of level 0 go at once, the oldest",
      levels: "0 a..z:16 a..z:16 a..z:16 a..z:16",
      room: 40,
      choice: "merge 3 | 4 to 6 (level0)"
    },
    {
      name: "of several, those that there is room for",
      levels: "0 a..f:16 n..z:16 n..z:16 n..z:16 \n 6 n..z:30",
      room: 20,
      choice: "move 1 to 6 (level0)"
    },
    {
      name: "what removals take with them is not written",
      levels: "0 a..z:16 d90 a..z:16 d90 a..z:16 d90 a..z:16 d90",
      room: 5,
      choice: "merge 1 | 2 | 3 | 4 to 6 (level0)"
    },
    { name: "nothing if all is too large", levels: "0 a..z:16 a..z:16 a..z:16 a..z:16", room: 15, choice: "nothing" }
  ])("$name", ({ choice, levels, room }) => {
    const limits = { ...compactionLimits, roomBytes: room * mebibyte }
    assert.strictEqual(shown(choose(picture(levels), limits)), choice)
  })

  const bottom = "6 a..f:30 g..k:30 l..m:30 n..z:30"
  it.each([
    {
      name: "a table of removals is cut at the middle of what it overlaps",
      levels: `0 a..z:4 d100 \n ${bottom}`,
      at: "l"
    },
    { name: "and its part again", levels: `0 m..z:2 h1 c..k:2 d100 \n ${bottom}`, at: "g" },
    { name: "so is an older one, without which it cannot go", levels: `0 a..z:4 d100 c..p:3 \n ${bottom}`, at: "l" },
    { name: "not what overlaps one table, though it ends where the next begins", levels: `0 a..g:4 d100 \n ${bottom}` },
    { name: "not what frees less than it is large", levels: `0 a..z:9 d90 \n ${bottom}` },
    { name: "not what itself is too large", levels: `0 a..z:11 d100 \n ${bottom}` },
    {
      name: "none where there are so many that writers would wait",
      levels: `0 ${"a..z:4 d100 ".repeat(7)} \n 6 a..f:300 g..z:900`
    }
  ])("where room is scarce, $name", ({ at, levels }) => {
    const limits = { ...compactionLimits, roomBytes: 10 * mebibyte, isScarce: true }
    const choice = choose(picture(levels, { idle: true }), limits)
    const cut = choice._tag === "Merge" && choice.reason === "level0Cut" ? choice.slices : undefined
    assert.deepStrictEqual(
      cut?.map(({ from, to }) => [from && textOf(from), to && textOf(to)]),
      at && [
        [undefined, at],
        [at, undefined]
      ]
    )
  })
})

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
      name: "takes newer tables past one that must stay",
      levels: "0 a..b:16 e..m:16 a..f:16 a..f:16",
      more: { running: [claim("k", "l", [5, 6])] },
      choice: "merge 1 | 3 | 4 to 6 (level0)"
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
      name: "is not full by tables that are about to leave",
      levels: "0 a..c:1* a..c:1* n..z:1 n..z:1 n..z:1",
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
      name: "take neighbours on both sides",
      levels: "5 a..b:8 c..d:12 e..f:8 l..n:140 \n 6 a..f:30 g..l:270 m..z:300",
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
      name: "go before a fuller level 0, which would be merged with what is too much",
      levels: `0 ${"a..z:4 ".repeat(8)} \n 5 a..k:74 l..l:74 m..z:74 \n ${bottom600}`,
      choice: "merge 10 | 13 to 6 (size)"
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
