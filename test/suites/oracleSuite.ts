// The contract of `Oracle`, one test for each numbered invariant in the contract's words. Every layer passes all of
// them.
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { TestClock } from "effect/testing"
import { Oracle, type OracleService } from "../../src/services/Oracle.ts"
import { Dice } from "../support/randomPlan.ts"

const key = (text: string): Uint8Array => new TextEncoder().encode(text)

const learn = (oracle: OracleService, text: string): number => {
  const sequence = oracle.assign()
  const bytes = key(text)
  oracle.learn(bytes, 0, bytes.length, sequence)
  return sequence
}

const reads = (keys: ReadonlyArray<string>, range?: readonly [string, string]) => ({
  keys: keys.map(key),
  ranges:
    range === undefined ? [] : [{ from: key(range[0]), fromExclusive: false, to: key(range[1]), toInclusive: false }]
})

export const oracleSuite = (name: string, layer: () => Layer.Layer<Oracle>): void => {
  const use = (title: string, body: (oracle: OracleService) => Effect.Effect<void>) =>
    it.effect(title, () =>
      Effect.flatMap(Oracle, (oracle) => {
        oracle.start({ sequence: 10, reserved: 1000, commitMillisMax: 500 })
        return body(oracle)
      }).pipe(Effect.provide(layer()))
    )
  const useNow = (title: string, body: (oracle: OracleService) => void) =>
    use(title, (oracle) => Effect.sync(() => body(oracle)))

  describe(`Oracle (${name})`, () => {
    useNow("1. assign counts up by one, never twice the same, never above the reservation", (oracle) => {
      assert.deepStrictEqual([oracle.assign(), oracle.assign()], [11, 12])
      while (oracle.remaining() > 0) oracle.assign()
      assert.strictEqual(oracle.assigned(), 1000)
      assert.throws(() => oracle.assign())
      oracle.extend(1001)
      assert.strictEqual(oracle.assign(), 1001)
    })

    useNow("2. visible only grows, and only to assigned sequences", (oracle) => {
      const [a, b] = [oracle.assign(), oracle.assign()]
      oracle.publish(b)
      assert.strictEqual(oracle.visible(), b)
      assert.throws(() => oracle.publish(a))
      assert.throws(() => oracle.publish(b + 1))
    })

    useNow("3. conflict finds every write of a key or a range learned after the moment that touches it", (oracle) => {
      const dice = new Dice(3)
      const names = ["a", "aa", "ab", "b", "c"]
      const moments = [oracle.open(true)]
      const writes: Array<{ readonly name: string; readonly sequence: number }> = []
      for (let step = 0; step < 300; step++) {
        const [from, to] = [dice.pick(names), dice.pick(names)].sort()
        if (from !== to && dice.chance(10)) {
          const sequence = oracle.assign()
          oracle.learnRange(key(from!), key(to!), sequence)
          for (const name of names) if (name >= from! && name < to!) writes.push({ name, sequence })
        } else {
          const name = dice.pick(names)
          writes.push({ name, sequence: learn(oracle, name) })
        }
        if (dice.chance(50)) oracle.publish(oracle.assigned())
        if (dice.chance(10)) moments.push(oracle.open(true))
        if (dice.chance(10)) moments.shift()?.release()
        for (const { sequence } of moments) {
          const asked = dice.pick(names)
          const after = writes.filter((write) => write.sequence > sequence)
          const touches = (test: (name: string) => boolean) => after.some((write) => test(write.name))
          assert.strictEqual(
            oracle.conflict(reads([asked]), sequence) > 0,
            touches((name) => name === asked),
            asked
          )
          const inside = touches((name) => name >= "aa" && name < "b")
          assert.strictEqual(oracle.conflict(reads([], ["aa", "b"]), sequence) > 0, inside)
        }
      }
    })

    useNow("4. without open transactions and commits in flight nothing is remembered", (oracle) => {
      const empty = oracle.stats().conflictBytes
      const moment = oracle.open(true)
      oracle.extend(10_000)
      for (let index = 0; index < 5000; index++) learn(oracle, `key ${index}`.repeat(3))
      oracle.publish(oracle.assigned())
      assert.isAbove(oracle.stats().conflictBytes, empty)
      assert.isTrue(oracle.learning())
      moment.release()
      moment.release()
      assert.isFalse(oracle.learning())
      assert.strictEqual(oracle.stats().conflictBytes, empty)
      assert.strictEqual(oracle.stats().moments, 0)
    })

    useNow("5. watermark is at most the sequence of every open moment", (oracle) => {
      const first = oracle.open(false)
      oracle.publish(oracle.assign())
      const second = oracle.open(true)
      oracle.publish(oracle.assign())
      assert.strictEqual(oracle.watermark(), first.sequence)
      first.release()
      assert.strictEqual(oracle.watermark(), second.sequence)
      second.release()
      assert.strictEqual(oracle.watermark(), oracle.visible())
    })

    use("6. a moment's now is at least every commit time that it can see, whatever the clock does", (oracle) =>
      Effect.gen(function* () {
        assert.strictEqual(oracle.open(false).nowMillis, 500)
        yield* TestClock.setTime(10_000)
        assert.strictEqual(oracle.commitMillis(), 10_000)
        yield* TestClock.setTime(1000)
        assert.strictEqual(oracle.open(false).nowMillis, 10_000)
        assert.strictEqual(oracle.commitMillis(), 10_000)
        assert.strictEqual(oracle.commitMillisMax(), 10_000)
      })
    )

    use(
      "7. horizon names the sequence of every open moment and what is visible, and a time no moment is before",
      (oracle) =>
        Effect.gen(function* () {
          yield* TestClock.setTime(10_000)
          const first = oracle.open(false)
          oracle.publish(oracle.assign())
          yield* TestClock.setTime(20_000)
          const second = oracle.open(true)
          const third = oracle.open(false)
          oracle.publish(oracle.assign())
          const { nowMillis, snapshots } = oracle.horizon()
          assert.deepStrictEqual(snapshots, [first.sequence, second.sequence, oracle.visible()])
          assert.strictEqual(nowMillis, 10_000)
          first.release()
          second.release()
          assert.deepStrictEqual(oracle.horizon(), { snapshots: [third.sequence, oracle.visible()], nowMillis: 20_000 })
          third.release()
          assert.deepStrictEqual(oracle.horizon(), { snapshots: [oracle.visible()], nowMillis: 20_000 })
          yield* TestClock.setTime(5000)
          assert.strictEqual(oracle.open(false).nowMillis, 20_000)
        })
    )
  })
}
