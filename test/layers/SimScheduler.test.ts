import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Latch, Random } from "effect"
import { SimClock } from "../../src/layers/SimClock.ts"
import { Deadlock, run, runTraced } from "../../src/layers/SimScheduler.ts"

/** Four fibers add one to a counter three times each, reading and writing it in two operations: updates get lost. */
const lostUpdates = Effect.gen(function* () {
  const trace: Array<string> = []
  let counter = 0
  const add = (name: string) =>
    Effect.gen(function* () {
      for (let time = 0; time < 3; time++) {
        const seen = yield* Effect.sync(() => counter)
        yield* Effect.yieldNow
        yield* Effect.sync(() => {
          counter = seen + 1
          trace.push(`${name}${counter}`)
        })
      }
    })
  const fibers = yield* Effect.forEach(["a", "b", "c", "d"], (name) => Effect.forkChild(add(name)))
  yield* Effect.forEach(fibers, Fiber.join)
  return `${counter}: ${trace.join(" ")}`
})

const valueOf = <A, E>(exit: Exit.Exit<A, E>): A => {
  assert.isTrue(Exit.isSuccess(exit), String(exit))
  return (exit as Exit.Success<A, E>).value
}

describe("SimScheduler", () => {
  it("the same seed gives the same run", () => {
    for (let seed = 0; seed < 50; seed++) {
      const [first, second] = [runTraced(lostUpdates, { seed }), runTraced(lostUpdates, { seed })]
      assert.strictEqual(valueOf(first.exit), valueOf(second.exit), `seed ${seed}`)
      assert.deepStrictEqual(first.choices, second.choices, `seed ${seed}`)
      assert.strictEqual(first.steps, second.steps, `seed ${seed}`)
    }
  })

  it("different seeds find different losses of a planted race", () => {
    const results = Array.from({ length: 100 }, (_, seed) => valueOf(run(lostUpdates, { seed })))
    assert.isAbove(new Set(results).size, 95, "interleavings")
    assert.isAbove(new Set(results.map((result) => result.split(":")[0])).size, 3, "counters")
  })

  it("the recorded choices repeat the run, and none at all is first come, first served", () => {
    for (let seed = 0; seed < 20; seed++) {
      const traced = runTraced(lostUpdates, { seed })
      const again = runTraced(lostUpdates, { seed, choices: traced.choices })
      assert.strictEqual(valueOf(again.exit), valueOf(traced.exit), `seed ${seed}`)
    }
    const fifo = runTraced(lostUpdates, { seed: 1, choices: [], yieldProbability: 0 })
    assert.strictEqual(valueOf(fifo.exit), "3: a1 b1 c1 d1 a2 b2 c2 d2 a3 b3 c3 d3")
    assert.isTrue(fifo.choices.every((choice) => choice === 0))
  })

  it("preempts between two operations", () => {
    const unguarded = Effect.gen(function* () {
      let counter = 0
      const add = Effect.gen(function* () {
        const seen = yield* Effect.sync(() => counter)
        yield* Effect.sync(() => (counter = seen + 1))
      })
      yield* Effect.forEach([1, 2, 3, 4], () => add, { concurrency: "unbounded" })
      return counter
    })
    const counters = (yieldProbability: number) =>
      new Set(Array.from({ length: 100 }, (_, seed) => valueOf(run(unguarded, { seed, yieldProbability }))))
    assert.deepStrictEqual([...counters(0)], [4])
    assert.isAbove(counters(0.2).size, 1)
  })

  it("a deadlock throws and lists who waits", () => {
    const stuck = Effect.gen(function* () {
      const latch = yield* Latch.make()
      yield* Effect.forkChild(latch.await.pipe(Effect.withSpan("the stuck child")))
      return yield* latch.await
    })
    try {
      run(stuck, { seed: 9 })
      assert.fail("no deadlock")
    } catch (error) {
      assert.instanceOf(error, Deadlock)
      assert.strictEqual(error.waiting.length, 2)
      assert.match(error.message, /seed 9; waiting: .*the stuck child/)
    }
  })

  it("waiting for a promise of the machine is a deadlock, not a hang", () => {
    assert.throws(
      () =>
        run(
          Effect.promise(() => Promise.resolve(1)),
          { seed: 1 }
        ),
      Deadlock
    )
  })

  it("a loop without end is stopped", () => {
    assert.throws(() => run(Effect.forever(Effect.yieldNow), { seed: 1, stepsMax: 1000 }), /still running after 1000/)
  })

  it("random numbers of the program come from the seed", () => {
    const numbers = Effect.all([Random.next, Random.next])
    assert.deepStrictEqual(valueOf(run(numbers, { seed: 3 })), valueOf(run(numbers, { seed: 3 })))
    assert.notDeepEqual(valueOf(run(numbers, { seed: 3 })), valueOf(run(numbers, { seed: 4 })))
  })
})

describe("SimClock", () => {
  it("jumps to the next sleeper when nothing can run, in the order of the deadlines", () => {
    const order: Array<string> = []
    const sleeper = (name: string, millis: number) =>
      Effect.gen(function* () {
        yield* Effect.sleep(millis)
        order.push(`${name} ${(yield* Clock.currentTimeMillis) - 1000}`)
      })
    const delays = [500, 10, 3_600_000, 10, 0, 70, 69, 71]
    const clock = new SimClock(1000)
    const program = Effect.forEach(delays, (millis, index) => sleeper(`s${index}`, millis), {
      concurrency: "unbounded",
      discard: true
    })
    run(program, { seed: 1, choices: [], clock })
    assert.deepStrictEqual(order, ["s4 0", "s1 10", "s3 10", "s6 69", "s5 70", "s7 71", "s0 500", "s2 3600000"])
  })

  it("the wall clock is set and jumped either way, and sleepers do not notice", () => {
    const clock = new SimClock(1000)
    const program = Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.sleep(100), { startImmediately: true })
      clock.jump(-500)
      const back = yield* Clock.currentTimeMillis
      clock.set(9000)
      yield* Fiber.join(fiber)
      return [back, yield* Clock.currentTimeMillis, Number(yield* Clock.monotonicTimeNanos)]
    })
    assert.deepStrictEqual(valueOf(run(program, { seed: 1, clock })), [500, 9100, 100_000_000])
  })

  it("a cancelled sleep does not move the time, and one without end is no timer", () => {
    const clock = new SimClock(0)
    const program = Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.sleep(5000), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      yield* Effect.sleep(7)
      return yield* Clock.currentTimeMillis
    })
    assert.strictEqual(valueOf(run(program, { seed: 1, clock })), 7)
    assert.throws(() => run(Effect.sleep("Infinity"), { seed: 1, clock }), Deadlock)
    assert.strictEqual(clock.currentTimeMillisUnsafe(), 7)
  })

  it("a thousand random sleepers wake in the order of their deadlines, those of one deadline as they came", () => {
    const woken: Array<{ readonly millis: number; readonly index: number }> = []
    const program = Effect.forEach(
      Array.from({ length: 1000 }, (_, index) => index),
      (index) =>
        Effect.gen(function* () {
          const millis = yield* Random.nextIntBetween(0, 50)
          yield* Effect.sleep(millis)
          woken.push({ millis, index })
        }),
      { concurrency: "unbounded", discard: true }
    )
    run(program, { seed: 11, choices: [], yieldProbability: 0 })
    assert.strictEqual(woken.length, 1000)
    assert.deepStrictEqual(
      woken,
      [...woken].sort((a, b) => a.millis - b.millis || a.index - b.index)
    )
  })
})
