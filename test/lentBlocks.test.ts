// Gets that read blocks into memory which the next one fills again: what they gave stays what it was, in every form.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import { SeededRandom } from "../src/internal/structure/random.ts"
import { NotInMemory } from "../src/services/Database.ts"
import { open, smallOptions } from "./support/opened.ts"

const keyCount = 600
const keyOf = (index: number): string => `key-${String(index).padStart(4, "0")}`
const valueOf = (index: number): string => `${index}`.repeat(1 + (index % 40))
const text = (bytes: Uint8Array | undefined): string | undefined => bytes && new TextDecoder().decode(bytes)

/** Every version of each key in tables of several levels, and a cache for a few of their blocks. */
const filled = Effect.fnUntraced(function* (cacheBytes: number) {
  const opened = yield* open(MemoryDisk.make().layer, { ...smallOptions, blockBytes: 256, cacheBytes })
  const { database, maintenance } = opened
  for (const pass of [2, 1]) {
    for (let index = 0; index < keyCount; index += pass) {
      yield* database.set(keyOf(index), pass === 1 ? valueOf(index) : "an old value")
    }
    yield* maintenance.flush
  }
  return opened
})

describe.each([0, 2000, 6000])("with %d bytes of cache", (cacheBytes) => {
  it.live("what gets gave does not change", () =>
    Effect.gen(function* () {
      const { database } = yield* filled(cacheBytes)
      const random = new SeededRandom(cacheBytes + 1)
      const given: Array<{ readonly index: number; readonly value: Uint8Array | undefined; readonly how: string }> = []
      for (let round = 0; round < 2000; round++) {
        const index = random.below(keyCount)
        const key = keyOf(index)
        const now = database.getUnsafe(key)
        if (now !== NotInMemory) given.push({ index, value: now, how: "getUnsafe" })
        if (round % 3 === 0) given.push({ index, value: yield* database.get(key), how: "get" })
        if (round % 7 === 0) {
          const indexes = Array.from({ length: 5 }, () => random.below(keyCount))
          const values = yield* database.getMany(indexes.map(keyOf))
          for (const [at, value] of values.entries()) given.push({ index: indexes[at]!, value, how: "getMany" })
        }
        assert.isTrue(yield* database.has(key))
        assert.isFalse(yield* database.has(`${key}x`))
      }
      assert.isAbove(given.length, 2000)
      for (const { how, index, value } of given) assert.strictEqual(text(value), valueOf(index), `${how} of ${index}`)
    }).pipe(Effect.scoped)
  )
})
