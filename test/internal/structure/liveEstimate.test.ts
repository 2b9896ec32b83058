import { assert, describe, it } from "@effect/vitest"
import { liveBytes } from "../../../src/internal/structure/liveEstimate.ts"
import { SeededRandom } from "../../../src/internal/structure/random.ts"

const table = (number: number, level: number, [smallest, largest]: readonly [number, number]) => ({
  meta: {
    number,
    level,
    bytes: 1000 + number,
    smallest: Uint8Array.of(smallest),
    largest: Uint8Array.of(largest),
    sequenceMax: number
  }
})

type Sized = ReturnType<typeof table>

/** From the oldest on, each table that overlaps none of those taken before. */
const obvious = (oldestFirst: ReadonlyArray<Sized>): number => {
  const kept: Array<Sized> = []
  for (const one of oldestFirst) {
    const { largest, smallest } = one.meta
    const overlaps = kept.some(({ meta }) => meta.smallest[0]! <= largest[0]! && smallest[0]! <= meta.largest[0]!)
    if (!overlaps) kept.push(one)
  }
  return kept.reduce((sum, { meta }) => sum + meta.bytes, 0)
}

describe("the estimate of live bytes", () => {
  it("is all of the deepest level, and of newer tables those that lie beside it", () => {
    assert.strictEqual(liveBytes([]), 0)
    assert.strictEqual(liveBytes([table(1, 6, [0, 10]), table(2, 6, [11, 20])]), 2003)
    assert.strictEqual(liveBytes([table(1, 6, [0, 10]), table(2, 0, [11, 20]), table(3, 0, [10, 20])]), 1001 + 1002)
  })

  it("takes, from the oldest run on, what overlaps nothing older", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new SeededRandom(seed)
      const oldestFirst: Array<Sized> = []
      let number = 0
      for (const level of [6, 5, 4]) {
        for (let at = random.below(30); at < 250; at += 1 + random.below(40)) {
          const end = Math.min(255, at + random.below(20))
          oldestFirst.push(table(++number, level, [at, end]))
          at = end
        }
      }
      for (let count = random.below(5); count > 0; count--) {
        const [a, b] = [random.below(256), random.below(256)]
        oldestFirst.push(table(++number, 0, [Math.min(a, b), Math.max(a, b)]))
      }
      const shuffled = [...oldestFirst].sort(() => random.below(3) - 1)
      assert.strictEqual(liveBytes(shuffled), obvious(oldestFirst), `seed ${seed}`)
    }
  })
})
