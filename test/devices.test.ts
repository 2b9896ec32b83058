// Devices that do not fail and are not what they should be, by seeds. What a lie does to a file is found, or does no
// harm: no wrong value is ever read, and nothing is missing without a word. A slow device and a clock that jumps change
// nothing but how long it takes. `STRATA_RUNS` says how many runs, `STRATA_SEED` which is the first; `npm run torture`
// goes on with others. That what has expired stays so is tested in expiry.test.ts.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { type DeviceRun, deviceRun } from "./support/deviceRun.ts"
import { lieRun } from "./support/lies.ts"
import { delayMillisMax, jumpingRun, slowRun, tenYearsMillis } from "./support/slowRun.ts"
import { contentsAfter, simulate, using } from "./support/scenario.ts"
import { readFile, writeFile } from "./suites/diskSuite.ts"
import { visibleImage } from "./support/opened.ts"

/** Of each kind. */
const runs = Number(process.env.STRATA_RUNS ?? 40)
const firstSeed = Number(process.env.STRATA_SEED ?? 1)
const seeds = (count: number) => Array.from({ length: count }, (_, index) => firstSeed + index)

describe("a device that lies", () => {
  it(`is found out, or does no harm (${runs} runs)`, () => {
    const counts = { detected: 0, harmless: 0, "not told": 0 }
    for (const seed of seeds(runs)) counts[lieRun(seed).ending] += 1
    console.log(`lies: ${JSON.stringify(counts)}`)
    if (runs < 20) return
    assert.isAbove(counts.detected, 0)
    assert.isAbove(counts.harmless, 0)
  }, 600_000)

  // A bit in a table's footer, over which a compaction waited for ever; a lost end of a buffered session.
  it.each([10_214, 12_351])("is found out by seed %i", (seed) => {
    assert.strictEqual(lieRun(seed).ending, "detected")
  })

  const written = (rule: Parameters<SimDisk.SimDisk["addFault"]>[0]) =>
    Effect.gen(function* () {
      const sim = SimDisk.make()
      yield* sim.disk.makeDirectory("/db")
      yield* writeFile(sim.disk, "/db/a", "aaaaaaaa")
      sim.addFault(rule)
      yield* writeFile(sim.disk, "/db/b", "bbbb")
      assert.isAbove(sim.strikes.length, 0)
      return [yield* readFile(sim.disk, "/db/a"), yield* readFile(sim.disk, "/db/b")]
    })

  it.effect("keeps nothing of a lost append, and puts a misdirected one elsewhere", () =>
    Effect.gen(function* () {
      const place = { operation: "append", pathPart: "/b", seed: 3 } as const
      assert.deepStrictEqual(yield* written({ ...place, lie: "lost" }), ["aaaaaaaa", "\0\0\0\0"])
      assert.deepStrictEqual(yield* written({ ...place, lie: "duplicated" }), ["aaaaaaaa", "bbbbbbbb"])
      const misdirected = yield* written({ ...place, lie: "misdirected" })
      assert.match(misdirected.join(" "), /^a*b+a* \0{4}$|^a{8} \0*b+\0*$/)
      const copied = yield* written({ ...place, lie: "copied" })
      assert.match(copied.join(" "), /^a*b*a* b{4}$/)
    })
  )

  it.effect("flips one bit at rest", () =>
    Effect.gen(function* () {
      const [a] = yield* written({ operation: "sync", flip: 5, within: "/a" })
      const different = [...a!].filter((letter) => letter !== "a")
      assert.lengthOf(different, 1)
      const bits = different[0]!.charCodeAt(0) ^ "a".charCodeAt(0)
      assert.strictEqual(bits & (bits - 1), 0)
    })
  )

  it("that has lost the commits of a whole log says so when it is opened, and never that they were not there", () => {
    const device = SimDisk.make({ faults: [{ operation: "append", pathPart: "/log-", skip: 2, lie: "lost", seed: 1 }] })
    simulate(
      using(device, ({ database }) =>
        Effect.gen(function* () {
          yield* database.set("a", "1")
          yield* database.set("b", "2")
          yield* database.set("c", "3")
          yield* database.set("d", "4")
        })
      )
    )
    assert.throws(() => contentsAfter(visibleImage(device)), /log-/)
  })
})

describe("a slow device", () => {
  it(`with calls of up to ${delayMillisMax} ms, loses nothing and half-applies nothing (${runs} runs)`, () => {
    for (const seed of seeds(runs)) assert.deepStrictEqual(slowRun(seed).noticed, [])
  }, 600_000)

  it("holds up writers, who wait and are not refused, and it is told how long", () => {
    const slowly = {
      operation: "append",
      pathPart: "/table-",
      sticky: true,
      delayMillis: [20_000, delayMillisMax]
    } as const
    const device = SimDisk.make({ faults: [slowly] })
    simulate(
      using(device, ({ database, maintenance }) =>
        Effect.gen(function* () {
          for (let index = 0; index < 100; index++) yield* database.set(`key ${index}`, "v".repeat(100))
          assert.strictEqual(yield* database.count(), 100)
          const { counters } = yield* maintenance.stats
          assert.isAbove(counters.stalls, 0)
          assert.isAbove(counters.stallMillisMemory, 20_000)
        })
      )
    )
  })
})

describe("a clock that jumps", () => {
  it(`by ten years either way, changes neither order, durability nor isolation (${runs} runs)`, () => {
    for (const seed of seeds(runs)) assert.deepStrictEqual(jumpingRun(seed).noticed, [])
  }, 600_000)

  it("changes nothing that a database without expiring entries does", () => {
    for (const seed of seeds(5)) {
      const plan = { seed, rules: [], blames: new Set<never>(), patienceMillis: 60_000 }
      const still = deviceRun(plan)
      const jump = (at: number, jumpMillis: number) => ({ at, jumpMillis, sticky: false })
      const rules = [jump(20, tenYearsMillis), jump(60, -2 * tenYearsMillis), jump(100, tenYearsMillis)]
      const jumping = deviceRun({ ...plan, rules })
      assert.deepStrictEqual(jumping.contents, still.contents, `seed ${seed}`)
      const calls = (run: DeviceRun) => run.log.map(({ operation, path }) => `${operation} ${path}`)
      assert.deepStrictEqual(calls(jumping), calls(still), `seed ${seed}`)
    }
  })
})
