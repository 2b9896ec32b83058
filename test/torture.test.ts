// The runner of campaigns: how it shares out time, goes on, and what it makes of rounds that fail, die or never end.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import type { RoundOrder, RoundReport } from "../scripts/torture/messages.ts"
import { verdictOf } from "../scripts/torture/report.ts"
import type { Rounds } from "../scripts/torture/roundProcess.ts"
import { State } from "../scripts/torture/state.ts"
import { Torture, type Tortured } from "../scripts/torture/torture.ts"
import { campaigns } from "./campaigns/all.ts"
import { wholes } from "./campaigns/campaign.ts"
import { situations } from "./campaigns/situations.ts"

const report = (order: RoundOrder, more: Partial<RoundReport> = {}): RoundReport => ({
  round: order.round,
  millis: 1000,
  counts: [],
  reached: [],
  covered: [],
  images: [],
  ...more
})

/** Rounds that take a second of a clock that goes only then. */
class Imagined {
  now = 0
  readonly orders: Array<readonly [campaign: string, order: RoundOrder]> = []
  private readonly answer: (campaign: string, order: RoundOrder) => Partial<RoundReport>

  constructor(answer: Imagined["answer"] = () => ({})) {
    this.answer = answer
  }

  readonly start = (campaign: string): Rounds => ({
    isAlive: () => true,
    stop: () => {},
    run: async (order) => {
      this.orders.push([campaign, order])
      this.now += 1000
      return report(order, this.answer(campaign, order))
    }
  })

  torture(state: State, more: Partial<Tortured> = {}): Torture {
    const shares = [
      { name: "heavy", weight: 3 },
      { name: "light", weight: 1 }
    ]
    const given = { campaigns: shares, state, start: this.start, millis: 400_000, cores: 1, now: () => this.now }
    return new Torture({ ...given, ...more })
  }

  count(campaign: string): number {
    return this.orders.filter(([name]) => name === campaign).length
  }
}

describe("a torture", () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "strata-torture-"))
  })
  afterEach(() => rmSync(directory, { recursive: true }))
  const path = () => join(directory, "state.json")

  it("gives campaigns time by their weights", async () => {
    const imagined = new Imagined()
    await imagined.torture(State.make(undefined, 7)).run()
    assert.strictEqual(imagined.orders.length, 400)
    assert.isAtLeast(imagined.count("heavy"), 240)
    assert.isAtLeast(imagined.count("light"), 60)
  })

  it("gives each round a number and a seed of its own, the same for the same seed", async () => {
    const imagined = new Imagined()
    await imagined.torture(State.make(undefined, 7)).run()
    const seeds = imagined.orders.filter(([name]) => name === "heavy").map(([, { seed }]) => seed)
    assert.deepStrictEqual(
      seeds,
      seeds.map((_, index) => 7_000_000 + index)
    )
  })

  it("counts equal images once, in whatever process", async () => {
    const state = State.make(undefined, 1)
    const imagined = new Imagined((_, { round }) => ({ images: ["same", `other ${round % 10}`] }))
    await imagined.torture(state).run()
    assert.strictEqual(state.saved.counts.images, 11)
  })

  it("goes on where it was stopped, with the round that was not ended", async () => {
    const first = new Imagined((_, { round }) => ({ images: [`${round}`], counts: [["plans", 1]] }))
    let stopped = false
    const start = (name: string): Rounds => ({
      ...first.start(name),
      run: async (order) => {
        stopped = first.orders.length >= 9
        return stopped ? report(order, { failure: "killed" }) : first.start(name).run(order)
      }
    })
    await first.torture(State.make(path(), 3), { start, isStopped: () => stopped }).run()
    assert.strictEqual(first.orders.length, 9)
    const state = State.load(path())
    assert.deepStrictEqual(state.saved.failures, [])
    assert.strictEqual(state.saved.counts.images, 9)
    const second = new Imagined((_, { round }) => ({ images: [`${round}`], counts: [["plans", 1]] }))
    await second.torture(state).run()
    const rounds = [...first.orders, ...second.orders].filter(([name]) => name === "heavy").map(([, one]) => one.round)
    assert.deepStrictEqual(
      rounds.sort((a, b) => a - b),
      rounds.map((_, index) => index)
    )
    assert.strictEqual(state.saved.counts.plans, first.orders.length + second.orders.length)
    assert.isBelow(second.orders.length, 400)
  })

  it("says how a failing round is done again, and fails", async () => {
    const state = State.make(undefined, 7)
    const imagined = new Imagined((name, { round }) => (name === "light" && round === 2 ? { failure: "wrong" } : {}))
    await imagined.torture(state).run()
    assert.strictEqual(imagined.orders.length, 400)
    const { isPassed, lines } = verdictOf(state, false)
    assert.isFalse(isPassed)
    assert.include(lines, "failed: npm run torture -- --only light --seed 7 --round 2")
  })

  it("ends at the first failure if it is told to", async () => {
    const imagined = new Imagined((_, { round }) => (round === 4 ? { failure: "wrong" } : {}))
    await imagined.torture(State.make(undefined, 7), { isBailing: true }).run()
    assert.isBelow(imagined.orders.length, 20)
  })

  it("stops what else is under way at the first failure, and does not take that for failures", async () => {
    const state = State.make(undefined, 7)
    const waiting: Array<() => void> = []
    const start = (name: string): Rounds => ({
      isAlive: () => true,
      stop: () => waiting.forEach((stop) => stop()),
      run: async (order) => {
        if (name === "heavy")
          return new Promise((resolve) => waiting.push(() => resolve(report(order, { failure: "" }))))
        return report(order, { failure: "wrong" })
      }
    })
    await new Imagined().torture(state, { start, cores: 2, isBailing: true }).run()
    assert.deepStrictEqual(state.saved.failures, [{ campaign: "light", round: 0, message: "wrong" }])
  })

  it("marks what was never reached, which is wrong in a whole run of half an hour", () => {
    const state = State.make(undefined, 1)
    for (const one of situations) state.saved.reached[one] = 1
    Object.assign(state.saved.counts, {
      images: 60_000,
      faultRuns: 6000,
      plans: 1000,
      kills: 300,
      histories: 300,
      transactions: 150_000
    })
    for (const whole of wholes) state.saved.covered[whole] = { items: ["only"], of: 1 }
    state.saved.millis = 1_800_000
    assert.isTrue(verdictOf(state, true).isPassed)
    delete state.saved.reached[situations[0]]
    const { isPassed, lines } = verdictOf(state, true)
    assert.isFalse(isPassed)
    assert.isTrue(lines.some((line) => line.includes("NEVER") && line.includes(situations[0])))
    assert.isTrue(verdictOf(state, false).isPassed)
    state.saved.millis = 60_000
    assert.isTrue(verdictOf(state, true).isPassed)
    state.saved.counts.images = 0
    assert.isTrue(verdictOf(state, true).isPassed)
  })
})

describe("what is shared out among rounds", () => {
  const covering = (items: ReadonlyArray<string>): RoundReport["covered"] => [[wholes[0], items, 3]]

  it("is put together, and is wrong in a whole run of half an hour that left something out", async () => {
    const state = State.make(undefined, 1)
    const items = [["a"], ["b"], ["a", "b"]]
    await new Imagined((_, { round }) => ({ covered: covering(items[round % 3]!) })).torture(state).run()
    assert.deepStrictEqual(state.saved.covered[wholes[0]], { items: ["a", "b"], of: 3 })
    state.saved.millis = 1_800_000
    const { isPassed, lines } = verdictOf(state, true)
    assert.isFalse(isPassed)
    assert.include(lines, `left out: 1 ${wholes[0]}`)
    assert.include(lines, `left out: all ${wholes[1]}`)
    assert.match(lines.join("\n"), /canonical workload +2 of 3/)
  })
})

describe("the campaigns", () => {
  it("have names of their own, and each situation is named once", () => {
    assert.strictEqual(new Set(campaigns.map(({ name }) => name)).size, campaigns.length)
    assert.strictEqual(new Set(situations).size, situations.length)
    assert.isAtLeast(situations.length, 60)
  })
})
