import { assert, describe, it } from "@effect/vitest"
import { batchBytesMax, batchesOf } from "../../../src/internal/structure/valueBatches.ts"
import { manySeeds } from "../format/support.ts"

const place = (offset: number, storedBytes: number) => ({ offset, storedBytes })
const kib = 1024

describe("batches of values", () => {
  it("are of neighbours, whatever the order they are asked for in", () => {
    const places = [place(5000, 1000), place(1000, 1000), place(3000, 1000)]
    assert.deepStrictEqual(batchesOf(places), [{ offset: 1000, bytes: 5000, members: [1, 2, 0] }])
    assert.deepStrictEqual(batchesOf([]), [])
  })

  it("end at a gap of more than 16 KiB, and before they would be longer than 256 KiB", () => {
    const gap = [place(0, 100), place(100 + 16 * kib, 100), place(200 + 16 * kib + 16 * kib + 1, 100)]
    assert.deepStrictEqual(
      batchesOf(gap).map(({ members }) => members),
      [[0, 1], [2]]
    )
    const long = [place(0, 200 * kib), place(200 * kib, 56 * kib), place(256 * kib, 1), place(300 * kib, 900 * kib)]
    assert.deepStrictEqual(
      batchesOf(long).map(({ bytes, members }) => [bytes, members]),
      [
        [256 * kib, [0, 1]],
        [1, [2]],
        [900 * kib, [3]]
      ]
    )
  })

  it("hold every value once and whole", () =>
    manySeeds(200, (dice) => {
      let offset = 96
      const places = Array.from({ length: dice.below(60) }, () => {
        const storedBytes = 1 + dice.below(dice.pick([10, 3000, 100_000, 600_000]))
        const made = place(offset, storedBytes)
        offset += storedBytes + (dice.chance(0.3) ? dice.below(40_000) : 0)
        return made
      })
      const asked = Array.from({ length: dice.below(40) }, () => dice.pick([...places, place(96, 5)]))
      const members = batchesOf(asked).flatMap((batch) => {
        assert.isTrue(batch.members.length === 1 || batch.bytes <= batchBytesMax)
        for (const member of batch.members) {
          const { offset: start, storedBytes } = asked[member]
          assert.isTrue(start >= batch.offset && start + storedBytes <= batch.offset + batch.bytes)
        }
        return batch.members
      })
      assert.deepStrictEqual(
        members.toSorted((a, b) => a - b),
        asked.map((_, ordinal) => ordinal)
      )
    }))
})
