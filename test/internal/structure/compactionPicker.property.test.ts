import { assert, describe, it } from "@effect/vitest"
import { type CompactionLimits, compactionLimits } from "../../../src/internal/structure/compactionLimits.ts"
import { isManualPending } from "../../../src/internal/structure/compactionPicker.ts"
import { SeededRandom } from "../../../src/internal/structure/random.ts"
import { LevelSimulator } from "../../support/levelSimulator.ts"
import { keyBytes, setBytes } from "../../support/mergeModel.ts"

const keyCount = 160
const stepsMax = 2_000

/** Everything small, so that all levels and all rules come into play within a few hundred writes. */
const limitsOf = (random: SeededRandom): CompactionLimits => ({
  ...compactionLimits,
  levelCount: 3 + random.below(3),
  baseBytes: 500 + random.below(2_000),
  levelRatio: 2 + random.below(4),
  tableBytes: 200 + random.below(800),
  tableBytesMax: 400 + random.below(2_000),
  jobBytesMax: 800 + random.below(4_000),
  grandparentTables: 1 + random.below(10),
  level0Relief: 4 + random.below(4)
})

const writeSome = (simulator: LevelSimulator, random: SeededRandom): void => {
  const count = 1 + random.below(12)
  const center = random.below(keyCount)
  const isNarrow = random.chance(0.3)
  const removes = random.pick([0, 0, 0.3, 1])
  for (let index = 0; index < count; index++) {
    const key = isNarrow ? Math.min(keyCount - 1, center + random.below(10)) : random.below(keyCount)
    simulator.write(key, random.chance(removes))
  }
  if (random.chance(0.1)) {
    const from = random.below(keyCount)
    simulator.removeRange(from, from + 1 + random.below(random.pick([4, 40, keyCount])))
  }
}

const checkAll = (simulator: LevelSimulator): void => {
  simulator.checkRuns(keyCount + 1)
  const reader = simulator.reader()
  const model = simulator.model()
  for (const sequence of simulator.snapshots) {
    for (let key = 0; key < keyCount; key++) {
      if (reader(key, sequence) !== model(key, sequence)) assert.fail(`key ${key} at ${sequence}`)
    }
  }
}

/** Asks until nothing is left to do; at most two merges run, and end in any order. */
const settle = (simulator: LevelSimulator, random: SeededRandom, idle: boolean): void => {
  for (let steps = 0; ; steps++) {
    assert.isBelow(steps, stepsMax, "it ends")
    const choice = simulator.running.length < 2 ? simulator.step({ idle }) : undefined
    if (choice === undefined || choice._tag === "Nothing") {
      if (simulator.running.length === 0) return
      simulator.finish(random.below(simulator.running.length))
    }
  }
}

const live = (simulator: LevelSimulator): number => {
  const model = simulator.model()
  const keys = Array.from({ length: keyCount }, (_, key) => key)
  return setBytes * keys.filter((key) => model(key, simulator.sequence)).length
}

const changeSnapshots = (simulator: LevelSimulator, random: SeededRandom): void => {
  const { openSnapshots } = simulator
  if (random.chance(0.1) && openSnapshots.length < 4) openSnapshots.push(simulator.sequence)
  else if (random.chance(0.1) && openSnapshots.length > 0) openSnapshots.splice(random.below(openSnapshots.length), 1)
}

const play = (seed: number, check = checkAll): LevelSimulator => {
  const random = new SeededRandom(seed)
  const rotations = new SeededRandom(seed + 4000)
  const simulator = new LevelSimulator(limitsOf(random))
  const eagerness = random.pick([0.2, 0.6, 0.95])
  for (let round = 0; round < 120; round++) {
    writeSome(simulator, random)
    changeSnapshots(simulator, random)
    if (random.chance(0.7)) simulator.flush()
    while (random.chance(eagerness)) {
      if (simulator.running.length > 0 && random.chance(0.5)) simulator.finish(random.below(simulator.running.length))
      else if (simulator.running.length < 2) {
        const from = random.below(keyCount)
        const crowded = random.chance(0.1) ? [{ from: keyBytes(from), to: keyBytes(from + 20) }] : []
        simulator.step({ idle: random.chance(0.1), crowded })
      }
    }
    if (rotations.chance(0.03)) simulator.rotateKey()
    if (round % 4 === 0) check(simulator)
  }
  settle(simulator, random, false)
  check(simulator)
  return simulator
}

/** After a play, with little room. Returns how often a table was cut. */
const playScarce = (seed: number): number => {
  const random = new SeededRandom(seed + 5000)
  const simulator = play(seed, () => undefined)
  const limits = { ...simulator.limits, tableBytes: 200, tableBytesMax: 300 }
  for (let round = 0; round < 20; round++) {
    const level0Relief = random.pick([limits.level0Relief, 12])
    const roomBytes = random.pick([100, 300, 1000, Infinity])
    simulator.limits = { ...limits, level0Relief, roomBytes, isScarce: true }
    writeSome(simulator, random)
    for (let key = random.below(keyCount); random.chance(0.9); key += 5) simulator.write(key % keyCount, true)
    simulator.flush()
    changeSnapshots(simulator, random)
    settle(simulator, random, random.chance(0.5))
    checkAll(simulator)
  }
  simulator.limits = limits
  simulator.openSnapshots.length = 0
  settle(simulator, random, true)
  checkAll(simulator)
  assert.isAtMost(simulator.bytes, 1.25 * live(simulator) + 100, `space at rest, seed ${seed}`)
  return simulator.taken.get("Merge level0Cut") ?? 0
}

const seeds = Array.from({ length: 25 }, (_, index) => index + 1)

describe("choosing merges", () => {
  it.each(seeds)("keeps every run newer than those behind it, and what snapshots read (seed %i)", (seed) => {
    play(seed)
  })

  it.each(seeds)("comes to rest with little garbage, and with nothing when all is removed (seed %i)", (seed) => {
    const random = new SeededRandom(seed + 1000)
    const simulator = play(seed)
    simulator.flush()
    settle(simulator, random, true)
    checkAll(simulator)
    simulator.openSnapshots.length = 0
    settle(simulator, random, true)
    checkAll(simulator)
    assert.isAtMost(simulator.bytes, 1.25 * live(simulator) + 100, "space at rest")
    if (seed % 2 === 0) simulator.removeRange(0, keyCount)
    else for (let key = 0; key < keyCount; key++) simulator.write(key, true)
    simulator.flush()
    settle(simulator, random, true)
    assert.deepStrictEqual(simulator.tables, [])
  })

  it.each(seeds)("merges a range down once, while others write (seed %i)", (seed) => {
    const random = new SeededRandom(seed + 2000)
    const simulator = play(seed)
    simulator.flush()
    const from = random.below(keyCount)
    const manual = { from: keyBytes(from), to: keyBytes(from + random.below(40)), sequence: simulator.sequence }
    for (let steps = 0; isManualPending(simulator.input({ idle: false, manual }), simulator.limits); steps++) {
      assert.isBelow(steps, stepsMax, "it ends")
      if (random.chance(0.2)) {
        writeSome(simulator, random)
        simulator.flush()
      }
      const choice = simulator.running.length < 2 ? simulator.step({ idle: false, manual }) : undefined
      if (choice === undefined || (choice._tag === "Nothing" && simulator.running.length > 0)) simulator.finish(0)
      else assert.notStrictEqual(choice._tag, "Nothing", "it is not forgotten")
    }
    checkAll(simulator)
  })

  it.each(seeds)("ends with no table of an older data key, while others write (seed %i)", (seed) => {
    const random = new SeededRandom(seed + 3000)
    const simulator = play(seed)
    simulator.flush()
    settle(simulator, random, false)
    simulator.rotateKey()
    const taken = () => simulator.taken.get("Merge olderKey") ?? 0
    const before = taken()
    const tables = simulator.tables.length
    for (let round = 0; round < 5; round++) {
      writeSome(simulator, random)
      simulator.flush()
      settle(simulator, random, random.chance(0.5))
      checkAll(simulator)
      assert.deepStrictEqual(
        simulator.tables.filter(({ meta }) => meta.keyGeneration !== simulator.keyGeneration),
        []
      )
    }
    assert.isAtMost(taken() - before, tables, "each is written again once")
  })

  it("ends on a scarce disk too, where it cuts what it has no room for, and loses nothing", () => {
    let cuts = 0
    for (const seed of seeds) cuts += playScarce(seed)
    assert.isAbove(cuts, 10)
  })

  it("uses every rule in these plays", () => {
    const taken = new Set<string>()
    for (const seed of seeds) {
      const simulator = play(seed, () => undefined)
      simulator.flush()
      simulator.openSnapshots.length = 0
      settle(simulator, new SeededRandom(seed), true)
      for (const name of simulator.taken.keys()) taken.add(name)
    }
    const merges = [
      "bottomGarbage",
      "crowded",
      "idleGarbage",
      "idleRemovals",
      "level0",
      "level0Relief",
      "removals",
      "olderKey"
    ]
    const expected = [...merges, "size", "smallTables", "unneededLevel"].map((reason) => `Merge ${reason}`)
    assert.includeMembers([...taken], ["Drop", "Move level0", "Move size", "Nothing", ...expected])
  })
})
