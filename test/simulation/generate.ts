// Plans out of a seed. Each throws the dice over its options first (swarm testing: what is on all the time hides what
// it is not on for), then over its actors, so that a plan has much of some things and nothing of others.
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import type { SimOperation } from "../../src/layers/SimFaults.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { randomOptions } from "../support/crashRun.ts"
import { valueRunOptions } from "../support/crashValues.ts"
import { Dice, randomKey } from "../support/randomPlan.ts"
import type {
  End,
  Op,
  Plan,
  PlanBounds,
  PlanFault,
  PlanOptions,
  PlanRange,
  PlanValue,
  PlanWrite,
  Read,
  Session,
  Step
} from "./plan.ts"

/** At, below and above the thresholds of value files and memtables. */
const lengths = [0, 1, 16, 17, 40, 63, 64, 100, 199, 200, 300, 500, 1023, 1024, 3000]

/** How long entries live: less than a call may take, as long as sleeps, pauses and jumps of the clock, half a year. */
const lives = [1, 40, 150, 1000, 5000, 60_000, 180 * 24 * 3_600_000]

/** What the actors of one plan do, by weights: half of the kinds are left out of half of the plans. */
const kinds = [
  ["write", 30],
  ["stream", 4],
  ["transaction", 18],
  ["snapshot", 8],
  ["read", 10],
  ["slow", 4],
  ["sync", 3],
  ["flush", 6],
  ["compact", 5],
  ["collect", 5],
  ["checkpoint", 1],
  ["verify", 1],
  ["sleep", 6],
  ["rotateMaster", 3],
  ["rotateData", 4],
  ["stats", 1]
] as const

type Kind = (typeof kinds)[number][0]

/** Of plans whose actors get in each other's way: transactions over few keys, while tables come and go. */
const contention: ReadonlyArray<readonly [Kind, number]> = [
  ["transaction", 60],
  ["write", 20],
  ["snapshot", 5],
  ["read", 5],
  ["flush", 3],
  ["compact", 2],
  ["sleep", 5]
]

/** Of plans that ask for much of what is otherwise done in the background, at once. */
const upkeep: ReadonlyArray<readonly [Kind, number]> = [
  ["write", 40],
  ["stream", 5],
  ["snapshot", 6],
  ["flush", 12],
  ["compact", 20],
  ["collect", 20],
  ["checkpoint", 4],
  ["verify", 2],
  ["sleep", 5],
  ["rotateMaster", 5],
  ["rotateData", 10]
]

/** Of plans that write faster than a slow disk takes tables. */
const pressure: ReadonlyArray<readonly [Kind, number]> = [
  ["write", 80],
  ["transaction", 8],
  ["snapshot", 4],
  ["slow", 4],
  ["flush", 2],
  ["collect", 2]
]

class Generator {
  readonly dice: Dice
  private readonly bag: Array<Kind> = []
  private readonly long: boolean
  private readonly encrypted: boolean
  private readonly interrupts: boolean
  private readonly hasWeather: boolean
  private readonly isContended: boolean
  private readonly isPressed: boolean
  private readonly removalPercent: number
  /** Of the entries that are set, so many expire. */
  private readonly expiringPercent: number
  /** The keys of a contended plan. */
  private readonly pool: ReadonlyArray<string>

  constructor(seed: number) {
    this.dice = new Dice(seed)
    this.long = this.dice.chance(75)
    this.encrypted = this.dice.chance(25)
    this.interrupts = this.dice.chance(30)
    this.hasWeather = this.dice.chance(40)
    const flavour = this.dice.below(100)
    this.isContended = flavour < 30
    this.isPressed = flavour >= 50 && flavour < 60
    const bag = this.isContended ? contention : this.isPressed ? pressure : flavour < 50 ? upkeep : kinds
    this.removalPercent = this.dice.pick([8, 8, 30])
    this.expiringPercent = this.dice.pick([0, 0, 25, 60])
    this.pool = Array.from({ length: 3 + this.dice.below(6) }, () => randomKey(this.dice))
    const isSwarm = this.dice.chance(50)
    for (const [kind, weight] of bag) {
      if (kind.startsWith("rotate") && !this.encrypted) continue
      if (isSwarm && bag === kinds && kind !== "write" && this.dice.chance(50)) continue
      for (let count = 0; count < weight; count++) this.bag.push(kind)
    }
  }

  options(): PlanOptions {
    const { dice } = this
    const database: OptionsInput = {
      ...randomOptions(dice),
      ...valueRunOptions(dice),
      ...(dice.chance(30) ? { arenaBytes: 1024, baseLevelBytes: 1024, levelRatio: 2, tableBytesMax: 1024 } : {}),
      ...(dice.chance(20) ? { level0TablesMin: 1, level0TablesSlow: 2, level0TablesStop: 3 } : {}),
      ...(this.isPressed ? { ...pressing, level0TablesStop: dice.pick([3, 4]) } : {}),
      ...(dice.chance(20) ? { commitsPendingMax: dice.pick([1, 2]) } : {}),
      ...(dice.chance(20) ? { conflictBytesMax: 1024 } : {}),
      ...(this.encrypted && dice.chance(20) ? { dataKeyCommitsMax: dice.pick([5, 20]) } : {}),
      ...(this.encrypted && dice.chance(20) ? { dataKeyAgeMillisMax: 5000 } : {})
    }
    return {
      database,
      encrypted: this.encrypted,
      compression: dice.pick(["default", "default", "none", "runs", "delta+deflate"]),
      synchronousReads: dice.chance(30),
      yieldProbability: dice.pick([0, 0.05, 0.05, 0.3])
    }
  }

  value(): PlanValue {
    const { dice } = this
    return [dice.below(256), this.long ? dice.pick(lengths) : dice.chance(10) ? dice.below(300) : dice.below(25)]
  }

  private key(): string {
    return this.isContended ? this.dice.pick(this.pool) : randomKey(this.dice)
  }

  bounds(): PlanBounds {
    const { dice } = this
    if (dice.chance(30)) return { prefix: this.key().slice(0, 6) }
    const [from, to] = [this.key(), this.key()].sort() as [string, string]
    const open = dice.below(10)
    return {
      ...(open === 0 ? {} : { from, fromExclusive: dice.chance(50) }),
      ...(open === 1 ? {} : { to, toInclusive: dice.chance(50) })
    }
  }

  range(): PlanRange {
    const { dice } = this
    return {
      ...(dice.chance(30) ? {} : this.bounds()),
      ...(dice.chance(10) ? { suffix: this.key().slice(0, 2) } : {}),
      ...(dice.chance(40) ? { reverse: true } : {}),
      ...(dice.chance(20) ? { limit: dice.below(6) } : {})
    }
  }

  write(): PlanWrite {
    const { dice } = this
    if (dice.chance(this.removalPercent)) return { removeRange: this.bounds() }
    const key = this.key()
    if (dice.chance(25)) return { remove: key }
    const value = this.value()
    return dice.chance(this.expiringPercent) ? { set: key, value, ttlMillis: dice.pick(lives) } : { set: key, value }
  }

  writes(): ReadonlyArray<PlanWrite> {
    const count = this.dice.chance(60) ? 1 : 1 + this.dice.below(8)
    return Array.from({ length: count }, () => this.write())
  }

  read(): Read {
    const { dice } = this
    if (dice.chance(50)) return { read: dice.pick(["get", "get", "entry", "has", "stream"]), key: this.key() }
    if (dice.chance(15)) return { read: "many", keys: [this.key(), this.key(), this.key()] }
    return this.rangeRead(dice.pick(["scan", "scan", "lazy", "keys", "count", "cursor"]))
  }

  private rangeRead(read: Extract<Read, { readonly range: PlanRange }>["read"]): Read {
    const { limit, ...whole } = this.range()
    // A cursor has no end but that of its bounds.
    return { read, range: limit === undefined || read === "cursor" ? whole : { ...whole, limit } }
  }

  steps(writesPercent: number): ReadonlyArray<Step> {
    const { dice } = this
    return Array.from({ length: 1 + dice.below(6) }, () => {
      if (dice.chance(20)) return { sleep: dice.pick([0, 1, 30, 500]) }
      return dice.chance(writesPercent) ? this.write() : this.read()
    })
  }

  op(): Op {
    const op = this.plainOp()
    if (!this.interrupts || !this.dice.chance(15)) return op
    return { ...op, interruptAfter: this.dice.pick([0, 1, 2, 5, 10, 30]) }
  }

  private plainOp(): Op {
    const { dice } = this
    const durability = dice.pick(["disk", "disk", "os", "buffered"] as const)
    const kind = dice.pick(this.bag)
    switch (kind) {
      case "write":
        return { op: kind, durability, writes: this.writes() }
      case "stream":
        return { op: kind, durability, value: this.value(), pieces: [1 + dice.below(100), 1 + dice.below(1000)] }
      case "transaction": {
        const isolation = dice.pick(["serializable", "serializable", "snapshot"] as const)
        const steps = this.steps(dice.pick([0, 40, 40, 70]))
        return { op: kind, isolation, durability, steps, ends: dice.chance(85) ? "commit" : "discard" }
      }
      case "snapshot":
        return { op: kind, steps: this.steps(0) as ReadonlyArray<Read> }
      case "read":
        return { op: kind, ask: this.read() }
      case "slow":
        return { op: "read", ask: this.rangeRead(dice.pick(["slow", "cursor"])) }
      case "compact":
        return dice.chance(50) ? { op: kind } : { op: kind, range: { prefix: randomKey(dice).slice(0, 2) } }
      case "collect":
        return { op: kind, garbageRatioMin: dice.pick([0, 0.2, 0.5]) }
      case "sleep":
        return { op: kind, millis: dice.pick([1, 50, 200, 200, 6000, 120_000]) }
      case "rotateData":
        return { op: kind, full: dice.chance(50) }
      default:
        return { op: kind }
    }
  }

  /** Nobody may notice. */
  private weather(): ReadonlyArray<PlanFault> {
    const { dice } = this
    const faults: Array<PlanFault> = []
    if (this.isPressed) {
      const delayMillis = [0, dice.pick([20, 300, 2000])] as const
      for (const kind of ["table", "manifest"])
        faults.push({ operation: "sync", of: kind, nth: 0, sticky: true, delayMillis })
    }
    for (let count = dice.below(4); count > 0; count--) {
      const [operation, of] = dice.pick(strikes)
      const sticky = dice.chance(70)
      const delayMillis = [0, sticky ? dice.pick([1, 20, 300]) : 30_000] as const
      faults.push({ operation, of, nth: dice.below(6), sticky, delayMillis })
    }
    if (dice.chance(30)) {
      const [operation, of] = dice.pick(strikes)
      const years = 365 * 24 * 3600 * 1000
      faults.push({ operation, of, nth: dice.below(12), jumpMillis: dice.pick([-10 * years, 10 * years, -5000, 5000]) })
    }
    return faults
  }

  fault(): PlanFault {
    const { dice } = this
    if (dice.chance(20)) return { fullAt: dice.below(120), freeBytes: dice.below(2000), calls: 5 + dice.below(100) }
    const [operation, of] = dice.pick(strikes)
    return {
      operation,
      of,
      nth: dice.below(dice.pick([2, 5, 20])),
      code: dice.pick(["EIO", "EIO", "ENOSPC", "EMFILE", "EACCES", "EROFS", "EDQUOT"]),
      ...(dice.chance(15) ? { sticky: true } : {}),
      ...(operation === "append" && dice.chance(50) ? { bytesAccepted: dice.pick([1, 20, 1e9]) } : {}),
      ...(operation.startsWith("sync") ? { syncModel: dice.pick(["dropped", "reverted", "written"]) } : {})
    }
  }

  end(isLast: boolean): End {
    const { dice } = this
    if (dice.chance(isLast ? 70 : 45)) return { by: "close" }
    const atCall = dice.below(dice.pick([30, 100, 300]))
    return dice.chance(30) ? { by: "kill", atCall } : { by: "power", atCall, outcome: dice.below(outcomes.length) }
  }

  session(isLast: boolean, hasFaults: boolean): Session {
    const { dice } = this
    if (dice.chance(6)) {
      const ops = Array.from({ length: 5 }, (): Op => ({ op: "read", ask: this.read() }))
      return { readOnly: true, actors: [ops, [{ op: "verify" }]], faults: [], end: { by: "close" } }
    }
    const longest = this.isContended || this.isPressed ? 20 : dice.pick([6, 10, 20])
    const actors = Array.from({ length: (this.isContended ? 2 : 1) + dice.below(4) }, () =>
      Array.from({ length: 3 + dice.below(longest) }, () => this.op())
    )
    if (dice.chance(25)) {
      // All ask for the same at last, and nobody does anything afterwards that would wake who waits.
      const last = this.plainOp()
      for (const ops of actors) ops.push(last)
    }
    const faults = hasFaults ? Array.from({ length: dice.below(5) }, () => this.fault()) : []
    if (this.hasWeather || this.isPressed) faults.push(...this.weather())
    return { actors, faults, end: this.end(isLast) }
  }
}

const pressing: OptionsInput = {
  arenaBytes: 1024,
  arenaCount: 2,
  level0TablesMin: 1,
  level0TablesSlow: 2,
  sequencesReserved: 16
}

/** Calls that a fault may strike, the ones that matter most often. */
const strikes: ReadonlyArray<readonly [SimOperation, string]> = [
  ...(["create", "append", "append", "sync", "sync", "closeAppend"] as const).flatMap((operation) =>
    ["log", "table", "value", "manifest", "current", "keyring"].map((of) => [operation, of] as const)
  ),
  ["syncDirectory", "db"],
  ["syncDirectory", "db"],
  ["list", "db"],
  ["lock", "db"],
  ["freeBytes", "db"],
  ["append", "log"],
  ["append", "log"],
  ["sync", "log"],
  ["append", "manifest"],
  ["sync", "manifest"],
  ["append", "table"],
  ...(["open", "read", "remove"] as const).flatMap((operation) =>
    ["table", "value", "log", "manifest"].map((of) => [operation, of] as const)
  )
]

/** How many images a run gives: `share` of a thousand of what each call could leave. */
export const generate = (seed: number, crash: Plan["crash"] = { share: 25, nestedEvery: 40 }): Plan => {
  const generator = new Generator(seed)
  const options = generator.options()
  const hasFaults = generator.dice.chance(35)
  const count = 1 + generator.dice.below(4)
  const sessions = Array.from({ length: count }, (_, index) => generator.session(index === count - 1, hasFaults))
  return { seed, options, sessions, crash }
}
