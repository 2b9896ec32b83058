// One simulated run, with the power cut after every device call, and whenever something was promised to be durable.
//
// Actors write to one database on a simulated disk, under a seeded scheduler and clock, over several sessions (open,
// work, close). After each call of the device the disk is asked what a power cut then could leave, for every kind of
// outcome; equal images are taken once. When the run is over and every commit's sequence is known, each image is opened
// and judged by the history, not by `verify`:
//
//   1  it opens without help
//   2  what it holds is exactly the model's state after some prefix of the commits, at a time no earlier than theirs
//   3  the prefix contains every commit that was acknowledged as durable before the cut
//   4  it takes writes, whose sequences are above all that were ever given out, and holds them when it is opened again
//   5  as soon as it is open, and after its close, its directory holds no file that its state does not name
//
// Runs with value files (`crashValues.ts`) are judged for those too.
import { assert } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Logger, Scope, Stream } from "effect"
import * as Clock from "effect/Clock"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import { Database, type DatabaseService } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { Disk, type DiskService } from "../../src/services/Disk.ts"
import type { Encryption } from "../../src/services/Encryption.ts"
import { Maintenance, type MaintenanceService } from "../../src/services/Maintenance.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { History } from "./crashHistory.ts"
import { kindOf } from "./fileKind.ts"
import { actOnValues, judgeValues, namedBy, sparesStreams, valueJudgeOptions, valueRunOptions } from "./crashValues.ts"
import { markOf } from "./faultLedger.ts"
import { bytes, type ModelPoint, toModelEntry } from "./model.ts"
import { directory, visibleImage } from "./opened.ts"
import { noOrphansSettled } from "./orphans.ts"
import { Dice, randomKey, randomWrites, toOperation } from "./randomPlan.ts"
import { hashOf } from "./imageHash.ts"

export type Image = ReadonlyMap<string, Uint8Array>

/** A disk after a power cut, and what was promised before it. */
export interface Cut {
  readonly image: Image
  /** Of the image and of what was promised before it. */
  readonly key: string
  /** The device call after which the power failed, and what the cut left. */
  readonly where: string
  /** The highest sequence acknowledged as durable. */
  readonly durable: number
  /** The highest sequence given out, as far as anybody was told. */
  readonly told: number
}

export interface Campaign {
  /** Images opened, each once. */
  images: number
  readonly seen: Set<string>
  /** How often each kind of device call was cut after. */
  readonly steps: Map<string, number>
  /** How many of the images were taken after each kind of call. */
  readonly imagesAfter: Map<string, number>
  /** What ran in the background of the runs. */
  readonly jobs: { flushes: number; compactions: number; moves: number; drops: number; collections: number }
  /** Is told of each image that was judged, by its key. */
  readonly judged?: (key: string) => void
}

export const newCampaign = (): Campaign => ({
  images: 0,
  seen: new Set(),
  steps: new Map(),
  imagesAfter: new Map(),
  jobs: { flushes: 0, compactions: 0, moves: 0, drops: 0, collections: 0 }
})

/** What a run is made of. */
export interface RunKind {
  readonly options: (dice: Dice) => OptionsInput
  /** Of a hundred things that an actor does. */
  readonly flushes: number
  readonly compactions: number
  readonly actionsMin: number
  /** Whether values are as long as value files need them, and collected. */
  readonly values: boolean
  /** Whether the power is cut after this kind of call. */
  readonly cutsAfter: (step: string) => boolean
  /** Default: none. */
  readonly encryption?: Layer.Layer<Encryption, DatabaseError>
  /** Default: as without a layer. */
  readonly compression?: Layer.Layer<never, DatabaseError>
}

/** Written by the judge. */
const after = "7e7e7e7e"

const databaseOn = (
  disk: Layer.Layer<Disk>,
  options: OptionsInput,
  { compression = Layer.empty, encryption = NoEncryption.layer }: Pick<RunKind, "encryption" | "compression">
) =>
  Effect.map(
    Layer.build(LsmDatabase.layerWith({ ...options, directory }).pipe(Layer.provide([disk, encryption, compression]))),
    (context) => ({ database: Context.get(context, Database), maintenance: Context.get(context, Maintenance) })
  )

const quiet = Effect.provide(Logger.layer([]))

/** Options at their extremes: small enough that a short run rotates, flushes and rewrites. */
export const randomOptions = (dice: Dice): OptionsInput => ({
  arenaBytes: dice.pick([1024, 2048, 4096]),
  arenaCount: dice.pick([2, 3]),
  valueBytesMax: 400,
  blockBytes: dice.pick([64, 256, 4096]),
  filterBitsPerKey: dice.pick([0, 10]),
  indexBytesMax: dice.pick([64, 1024 * 1024]),
  openFilesMax: dice.pick([8, 512]),
  cacheBytes: dice.pick([0, 4096, 65536]),
  flushOnCloseBytesMin: dice.pick([0, 1024 * 1024]),
  manifestBytesMax: dice.pick([256, 4 * 1024 * 1024]),
  sequencesReserved: dice.pick([16, 1024]),
  flushDelayMillis: dice.pick([0, 10]),
  flushBytes: dice.pick([64, 4096]),
  level0TablesMin: dice.pick([1, 2, 4]),
  level0TablesSlow: dice.pick([4, 12]),
  baseLevelBytes: dice.pick([1024, 8192]),
  levelRatio: dice.pick([2, 10]),
  tableBytesMax: dice.pick([1024, 4096]),
  ballastLiveBytesMin: dice.pick([1, 64 * 1024 * 1024])
})

/** Everything in a mixture, the power cut after every call. */
export const mixed: RunKind = {
  options: randomOptions,
  flushes: 4,
  compactions: 4,
  actionsMin: 3,
  values: false,
  cutsAfter: () => true
}

/** Flushes and compactions all the time, the power cut after their calls: of tables, of installs, and removals. */
export const jobsMostly: RunKind = {
  options: (dice) => ({
    ...randomOptions(dice),
    arenaBytes: 1024,
    level0TablesMin: dice.pick([1, 2]),
    baseLevelBytes: dice.pick([1024, 2048]),
    levelRatio: 2,
    tableBytesMax: 1024,
    manifestBytesMax: dice.pick([256, 1024])
  }),
  flushes: 15,
  compactions: 10,
  actionsMin: 10,
  values: false,
  cutsAfter: (step) => / (?:table|manifest|current|db)$|^remove /.test(step) && !/^(?:read|list|lock) /.test(step)
}

/** The same run with value files. */
export const withValues = (kind: RunKind): RunKind => ({
  ...kind,
  values: true,
  options: (dice) => ({ ...kind.options(dice), ...valueRunOptions(dice) }),
  cutsAfter: (step) => kind.cutsAfter(step) || step.endsWith(" value")
})

export interface Actor {
  readonly history: History
  readonly dice: Dice
  readonly kind: RunKind
}

const act = Effect.fnUntraced(function* (
  parts: { readonly database: DatabaseService; readonly maintenance: MaintenanceService },
  actor: Actor
) {
  const { database, maintenance } = parts
  const { dice, history, kind } = actor
  if (kind.values && dice.chance(25)) return yield* actOnValues(parts, actor)
  const turn = dice.below(100)
  const flushTurns = 6 + kind.flushes
  const sleepTurns = flushTurns + 5
  if (turn < 6) {
    history.synced(yield* database.sync)
  } else if (turn < flushTurns) {
    yield* maintenance.flush
  } else if (turn < sleepTurns) {
    // Long enough now and then for the database to be idle.
    yield* Effect.sleep(dice.chance(20) ? 6000 : dice.below(200))
  } else if (turn < sleepTurns + kind.compactions) {
    yield* maintenance.compact(dice.chance(50) ? undefined : { prefix: bytes(randomKey(dice).slice(0, 2)) })
  } else {
    const durability = dice.pick(["disk", "disk", "os", "buffered"] as const)
    const now = yield* Clock.currentTimeMillis
    const random = randomWrites(dice, { now, longest: kind.values ? "values" : 300 })
    const lasting = (write: ModelPoint) => (kind.values ? { ...write, expiresAt: undefined } : write)
    // The marker comes last, so that of the last commit it is there, whatever ranges were removed.
    const writes = [
      ...random.map((write) => ("removed" in write ? sparesStreams(write) : lasting(write))),
      { key: markOf(history.newId()), value: "" }
    ]
    const commit = yield* database.write(writes.map(toOperation), { durability })
    history.acknowledged(commit, writes, durability)
  }
})

interface RunResult {
  readonly cuts: Array<Cut>
  readonly history: History
  readonly kind: RunKind
}

interface Promised {
  readonly durable: number
  readonly told: number
}

/** Takes what a cut after each call could leave, each distinct image once. */
const cutter = (
  campaign: Campaign,
  options: {
    readonly seed: number
    readonly promised: Promised
    readonly level: number
    readonly cutsAfter: RunKind["cutsAfter"]
  }
) => {
  const cuts: Array<Cut> = []
  const random = new SeededRandom(options.seed)
  const onOperation =
    (device: () => SimDisk.SimDisk) =>
    (index: number, operation: string, path: string): void => {
      const name = `${"recovery ".repeat(options.level)}${operation} ${kindOf(path)}`
      if (!options.cutsAfter(name)) return
      count(campaign.steps, name)
      for (const outcome of outcomes) {
        // A third of the kinds after each call, so that a campaign sees three times as many runs.
        if (random.below(3) > 0) continue
        const image = device().files.crash(outcome, random)
        const { durable, told } = options.promised
        // Of equal images the one that must hold more is another one.
        const key = `${hashOf(image)} ${durable} ${told}`
        if (campaign.seen.has(key)) continue
        campaign.seen.add(key)
        count(campaign.imagesAfter, name)
        cuts.push({ image: copyOf(image), key, where: `call ${index} (${name}), ${outcome.name}`, durable, told })
      }
    }
  return { cuts, onOperation }
}

const count = (counts: Map<string, number>, name: string): void => {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

const copyOf = (image: Image): Image => new Map([...image].map(([path, content]) => [path, content.slice()]))

/** Runs the actors of the seed and returns all cuts. */
export const crashRun = (seed: number, campaign: Campaign, kind: RunKind = mixed): RunResult => {
  const dice = new Dice(seed)
  const options = kind.options(dice)
  const history = new History()
  const { cutsAfter } = kind
  const { cuts, onOperation } = cutter(campaign, { seed, promised: history, level: 0, cutsAfter })
  const cut = onOperation(() => device)
  const device: SimDisk.SimDisk = SimDisk.make({ synchronousAppends: seed % 4 < 2, onOperation: cut })
  // Between two calls of the device: what was promised too early is on its way to be durable.
  history.onPromise = () => cut(device.log.length - 1, "acknowledgement", "commit")
  const actor = (parts: { readonly database: DatabaseService; readonly maintenance: MaintenanceService }) => {
    const own = new Dice(dice.below(1e9))
    const actions = Array.from({ length: kind.actionsMin + own.below(6) })
    return Effect.forEach(actions, () => act(parts, { history, kind, dice: own }), { discard: true })
  }
  const session = Effect.scoped(
    Effect.gen(function* () {
      const parts = yield* databaseOn(device.layer, options, kind)
      yield* Effect.all(
        Array.from({ length: 1 + dice.below(3) }, () => actor(parts)),
        {
          concurrency: "unbounded",
          discard: true
        }
      )
      const { counters } = yield* parts.maintenance.stats
      for (const job of ["flushes", "compactions", "moves", "drops", "collections"] as const)
        campaign.jobs[job] += counters[job]
    })
  )
  const closed = Effect.suspend(() => {
    const { disk } = MemoryDisk.fromImage(visibleImage(device))
    return namedBy({ disk, directory, logSegments: undefined, encryption: kind.encryption }, kind.values)
  })
  const sessions = Array.from({ length: 1 + dice.below(3) }, () => Effect.andThen(session, closed))
  const program = Effect.forEach(sessions, (one) => one, { discard: true })
  const exit = SimScheduler.run(quiet(program), { seed })
  if (Exit.isFailure(exit)) throw new Error(`seed ${seed}: the run itself failed`, { cause: exit.cause })
  assert.deepStrictEqual(device.openHandles(), [], `seed ${seed}: handles left open`)
  return { cuts, history, kind }
}

const contents = (database: DatabaseService) =>
  Effect.map(Stream.runCollect(database.scan()), (entries) => Array.from(entries, toModelEntry))

/** Opens the image as a user would, and holds it against the history. */
const judge = Effect.fnUntraced(function* (cut: Cut, device: DiskService, { history, kind }: RunResult) {
  const { encryption, values } = kind
  const scope = yield* Effect.scope
  const small = { arenaBytes: 4096, valueBytesMax: 400, cacheBytes: 0 }
  const disk = Layer.succeed(Disk, device)
  const first = yield* Effect.scoped(
    Effect.gen(function* () {
      const { database, maintenance } = yield* databaseOn(disk, values ? valueJudgeOptions : small, kind)
      if (!values) yield* noOrphansSettled(device, { directory, encryption, maintenance })
      const found = yield* contents(database)
      const last = found.reduce((highest, entry) => Math.max(highest, entry.sequence), 0)
      assert.isAtLeast(last, cut.durable === 0 ? 0 : cut.durable, "an acknowledged commit is lost")
      history.judge(found, last)
      const commit = yield* database.write([{ type: "set", key: bytes(after), value: "after" }])
      assert.isAbove(commit.sequence, cut.told, "a sequence names two commits")
      assert.deepStrictEqual((yield* maintenance.verify).damage, [])
      return found
    })
  )
  yield* namedBy({ disk: device, directory, logSegments: undefined, encryption }, values)
  const again = yield* Scope.provide(databaseOn(disk, values ? valueJudgeOptions : { arenaBytes: 4096 }, kind), scope)
  if (values) yield* again.maintenance.flush
  yield* noOrphansSettled(device, { directory, encryption, maintenance: again.maintenance })
  const second = yield* contents(again.database)
  const others = second.filter(({ key }) => key !== after)
  const there = new Set(others.map(({ key }) => key))
  // Time goes on between the two.
  const expected = first.filter(({ expiresAt, key }) => key !== after && (expiresAt === undefined || there.has(key)))
  assert.deepStrictEqual(others, expected, "the second open differs")
  assert.lengthOf(second, others.length + 1)
  if (values) yield* judgeValues(again, device, encryption)
})

/**
 * Opens the image on a simulated disk and cuts the power after each call of that. What was recovered once must stay.
 */
const recoveryRun = (
  cut: Cut,
  run: RunResult,
  campaign: Campaign,
  place: { readonly seed: number; readonly level: number }
): RunResult => {
  const options = run.kind.values ? valueJudgeOptions : { arenaBytes: 1024, valueBytesMax: 400 }
  const promised = { durable: cut.durable, told: cut.told }
  const taken = cutter(campaign, { ...place, promised, cutsAfter: mixed.cutsAfter })
  const device: SimDisk.SimDisk = SimDisk.make({
    image: cut.image,
    onOperation: (...call) => taken.onOperation(() => device)(...call)
  })
  const program = Effect.scoped(
    Effect.gen(function* () {
      const { database } = yield* databaseOn(device.layer, options, run.kind)
      const found = yield* contents(database)
      promised.durable = found.reduce((highest, entry) => Math.max(highest, entry.sequence), promised.durable)
      yield* Effect.sleep(100)
    })
  )
  const exit = SimScheduler.run(quiet(program), { seed: place.seed })
  if (Exit.isFailure(exit)) throw new Error(`seed ${place.seed}, cut after ${cut.where}`, { cause: exit.cause })
  return { ...run, cuts: taken.cuts }
}

/** A deadlock is thrown, not an exit: it is told with the place too. */
const runOrThrow = <A>(
  effect: Effect.Effect<A, unknown, Scope.Scope>,
  place: { readonly seed: number; readonly where: string }
) => {
  try {
    return SimScheduler.run(quiet(Effect.scoped(effect)), { seed: place.seed })
  } catch (cause) {
    throw new Error(`cut after ${place.where}`, { cause })
  }
}

const levelMax = 3

/**
 * Opens and judges every cut of the run. One in `nestedEvery` is cut again during its recovery; of those cuts as of the
 * ones of their recoveries, three levels deep, one each.
 */
export const judgeAll = (
  run: RunResult,
  campaign: Campaign,
  options: { readonly seed: number; readonly nestedEvery: number; readonly level?: number }
): void => {
  const { level = 1, nestedEvery, seed } = options
  run.cuts.forEach((cut, index) => {
    campaign.images += 1
    const { disk } = MemoryDisk.fromImage(cut.image)
    const exit = runOrThrow(judge(cut, disk, run), { seed: seed + index, where: cut.where })
    if (Exit.isFailure(exit)) throw new Error(`seed ${seed}, cut after ${cut.where}`, { cause: exit.cause })
    campaign.judged?.(cut.key)
    if (level > levelMax || index % nestedEvery !== nestedEvery - 1) return
    const nested = recoveryRun(cut, run, campaign, { seed: seed + index, level })
    judgeAll(nested, campaign, { seed: seed + index, nestedEvery: Math.max(1, nested.cuts.length), level: level + 1 })
  })
}
