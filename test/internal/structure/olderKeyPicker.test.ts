import { assert, describe, it } from "@effect/vitest"
import type { Merge } from "../../../src/internal/structure/compactionChoice.ts"
import { type CompactionLimits, compactionLimits } from "../../../src/internal/structure/compactionLimits.ts"
import { choose } from "../../../src/internal/structure/compactionPicker.ts"
import { keyOf, picture, type PictureTable, shown } from "../../support/levelPicture.ts"
import { bottom600, claim, type Example, examples } from "../../support/pickerExamples.ts"

const limits = { keyGeneration: 3 }

const withKey = (all: ReadonlyArray<Omit<Example, "limits">>): void =>
  examples(all.map((example) => ({ ...example, limits })))

const current = bottom600.replaceAll(/:150/g, ":150 k3")

describe("tables of an older data key", () => {
  withKey([
    {
      name: "are written again where they are",
      levels: "6 a..f:8 k3 g..l:8 k2 m..z:8 k3",
      choice: "merge 2 to 6 (olderKey)"
    },
    { name: "are left alone when there is none", levels: `5 a..f:8 k3 \n ${current}`, choice: "nothing" },
    { name: "are written again above others", levels: `5 a..f:8 k2 \n ${current}`, choice: "merge 1 to 5 (olderKey)" },
    {
      name: "keep their age in level 0",
      levels: `0 a..z:16 k3 a..z:16 k2 a..z:16 k3 \n ${current}`,
      choice: "merge 2 to 0 (olderKey)"
    },
    {
      name: "of level 0 come from the oldest",
      levels: `0 a..z:16 k2 a..z:16 k2 a..z:16 k2 \n ${current}`,
      choice: "merge 3 to 0 (olderKey)"
    },
    {
      name: "come from the deepest level, in the order of their keys",
      levels: "0 a..z:16 k2 \n 5 a..f:8 k2 \n 6 a..f:150 k3 g..l:150 k2 m..r:150 k2 s..z:150 k3",
      choice: "merge 4 to 6 (olderKey)"
    },
    {
      name: "come from the oldest generation",
      levels: "0 a..z:16 k1 \n 5 a..f:8 k2 \n 6 a..f:150 k3 g..l:150 k2 m..r:150 k2 s..z:150 k3",
      choice: "merge 1 to 0 (olderKey)"
    },
    {
      name: "come after what is due",
      levels: `0 a..z:16 k3 a..z:16 k3 a..z:16 k3 a..z:16 k3 \n 5 a..m:60 k3 n..z:60 k3 \n ${bottom600}`,
      choice: "merge 1 | 2 | 3 | 4 | 5 6 to 5 (level0)"
    },
    {
      name: "come after small tables, which are merged with them",
      levels: "6 a..b:1 k2 c..d:1 k3 e..f:1 k3 g..h:1 k3",
      choice: "merge 1-4 to 6 (smallTables)"
    },
    {
      name: "do not wait for rest, nor for readers of older versions",
      levels: "6 a..f:8 k2 h40 g..z:8 k3",
      more: { snapshots: [5, 1000] },
      choice: "merge 1 to 6 (olderKey)"
    },
    {
      name: "are left to a merge that reads them",
      levels: "6 a..f:8* k2 g..z:8 k2",
      choice: "merge 2 to 6 (olderKey)"
    },
    {
      name: "are left where a merge will write",
      levels: "6 a..f:8 k2 g..l:8 k2",
      more: { running: [claim("c", "d", [5, 6])] },
      choice: "merge 2 to 6 (olderKey)"
    },
    {
      name: "of level 0 do not mind what is merged below",
      levels: "0 a..f:8 k2 \n 6 a..f:8* k3",
      more: { running: [claim("a", "f", [5, 6])] },
      choice: "merge 1 to 0 (olderKey)"
    },
    {
      name: "move as they are where they are due",
      levels: "0 t..z:16 k2 n..s:16 k2 h..m:16 k2 a..g:16 k2",
      choice: "move 4 to 6 (level0)"
    }
  ])

  it("are left alone without encryption, and by the key of their own generation", () => {
    for (const keyGeneration of [0, 1]) {
      const input = picture("0 a..z:16 \n 6 a..z:100")
      assert.strictEqual(shown(choose(input, { ...compactionLimits, keyGeneration })), "nothing")
    }
  })

  it("become no more tables than they are, and know what is older", () => {
    const more: Partial<CompactionLimits> = { keyGeneration: 2, grandparentTables: 1 }
    const upper = choose(picture(`5 a..z:8 \n ${bottom600.replaceAll(/:150/g, ":150 k2")}`), {
      ...compactionLimits,
      ...more
    }) as Merge<PictureTable>
    assert.deepStrictEqual(upper.grandparents, [])
    assert.deepStrictEqual(
      upper.deeper.map(({ meta }) => meta.number),
      [2, 3, 4, 5]
    )
    const level0 = choose(picture("0 a..z:8 c..d:8 k2 y..z:8 k2 \n 6 a..m:8 k2 n..z:8 k2"), {
      ...compactionLimits,
      ...more
    }) as Merge<PictureTable>
    assert.strictEqual(shown(level0), "merge 1 to 0 (olderKey)")
    assert.deepStrictEqual(
      level0.deeper.map(({ meta }) => meta.number),
      [2, 3, 4, 5]
    )
    assert.lengthOf(level0.slices, 1)
    assert.deepStrictEqual(level0.claim, { smallest: keyOf("a"), largest: keyOf("z"), level: 0, output: 0 })
  })
})
