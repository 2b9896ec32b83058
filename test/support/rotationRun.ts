// One simulated run in which keys are rotated while others write, with the power cut after the calls of the device.
//
// A rotator changes the master key and the data key, beside actors that write, flush, compact, collect, hold snapshots
// and make checkpoints. What each cut can leave is opened and judged by the history:
//
//   1  exactly one master key opens it: the one before or the one after, while a rotation was not acknowledged, and
//      the new one alone from then on; every other fails `EncryptionKeyMismatch`
//   2  what it holds is the model's state after a prefix of the commits that has every acknowledged one
//   3  no data key that an acknowledged full rotation forgot is in the keyring
//   4  it goes on where it was: in a while one data key is left, and no file of another
//   5  it holds the same then, without damage, and when it is opened again
import { assert } from "@effect/vitest"
import { Effect, Exit, type Scope } from "effect"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { History } from "./crashHistory.ts"
import { kindOf } from "./fileKind.ts"
import { type Image, randomOptions } from "./crashRun.ts"
import { valueRunOptions } from "./crashValues.ts"
import { markOf } from "./faultLedger.ts"
import { contentsOf, quiet, visibleImage } from "./opened.ts"
import { Dice, randomWrites, toOperation } from "./randomPlan.ts"
import { generationsOf, keyringsOf, masterKey, openSealed, type Sealed, settledKeys, SimKeys } from "./simKeys.ts"
import { hashOf } from "./imageHash.ts"

/** What is due of the keys. */
export interface KeyPromise {
  /** Master keys of which one must open the database. */
  masters: ReadonlyArray<number>
  /** Those that must not. */
  gone: ReadonlyArray<number>
  /** Data keys below this are forgotten. */
  generationMin: number
}

export interface RotationCut extends Readonly<KeyPromise> {
  readonly image: Image
  /** Of the image and of what was promised before it. */
  readonly key: string
  readonly where: string
  readonly durable: number
}

export interface RotationCampaign {
  images: number
  readonly seen: Set<string>
  /** How many images were taken after each kind of call. */
  readonly after: Map<string, number>
  readonly rotations: { data: number; full: number; master: number }
}

export const newRotations = (): RotationCampaign => ({
  images: 0,
  seen: new Set(),
  after: new Map(),
  rotations: { data: 0, full: 0, master: 0 }
})

export interface RotationRun {
  readonly cuts: ReadonlyArray<RotationCut>
  readonly history: History
  readonly keys: SimKeys
  readonly options: OptionsInput
}

const optionsOf = (dice: Dice): OptionsInput => ({
  ...randomOptions(dice),
  arenaBytes: dice.pick([1024, 2048]),
  level0TablesMin: dice.pick([1, 2, 4]),
  ...valueRunOptions(dice)
})

/** The same image is taken once, and of all kinds of cuts after a call a part. */
class Cutter {
  readonly cuts: Array<RotationCut> = []
  on = false
  private readonly campaign: RotationCampaign
  private readonly promised: () => Omit<RotationCut, "image" | "key" | "where">
  private readonly random: SeededRandom
  private readonly level: string

  constructor(
    campaign: RotationCampaign,
    options: { readonly seed: number; readonly level: number; readonly promised: Cutter["promised"] }
  ) {
    this.campaign = campaign
    this.promised = options.promised
    this.random = new SeededRandom(options.seed)
    this.level = "recovery ".repeat(options.level)
  }

  take(device: SimDisk.SimDisk, [index, operation, path]: readonly [number, string, string]): void {
    if (!this.on || /^(?:read|list|lock|closeRead|open)$/.test(operation)) return
    const name = `${operation} ${kindOf(path)}`
    const share = shareOf(name)
    for (const outcome of outcomes) {
      if (!this.random.chance(share)) continue
      const image: Image = new Map(
        [...device.files.crash(outcome, this.random)].map(([at, bytes]) => [at, bytes.slice()])
      )
      const promised = this.promised()
      const key = `${hashOf(image)} ${promised.durable} ${promised.masters.join()} ${promised.generationMin}`
      if (this.campaign.seen.has(key)) continue
      this.campaign.seen.add(key)
      this.campaign.after.set(name, (this.campaign.after.get(name) ?? 0) + 1)
      this.cuts.push({ image, key, where: `${this.level}call ${index} (${name}), ${outcome.name}`, ...promised })
    }
  }
}

/** How many of the kinds of cuts after a call are taken. A keyring is written seldom, and every step of it counts. */
const shareOf = (name: string): number =>
  name.endsWith(" keyring") ? 0.4 : / (?:manifest|current|db)$/.test(name) ? 0.05 : 0.02

interface Stage {
  readonly sealed: Sealed
  readonly history: History
  readonly promise: KeyPromise
  readonly campaign: RotationCampaign
}

const write = Effect.fnUntraced(function* ({ history, sealed }: Stage, dice: Dice) {
  const { database, maintenance } = sealed
  const turn = dice.below(20)
  if (turn === 0) return yield* maintenance.flush
  if (turn === 1) return yield* maintenance.compact()
  if (turn === 2) return void (yield* maintenance.collectValues({ garbageRatioMin: 0 }))
  if (turn === 3) return yield* Effect.sleep(dice.pick([1, 50, 6000]))
  if (turn === 4) return yield* Effect.scoped(Effect.andThen(database.snapshot, Effect.sleep(dice.below(300))))
  if (turn === 5) return void (yield* maintenance.checkpoint(`/copy-${dice.below(1e9)}`))
  const durability = dice.pick(["disk", "disk", "os", "buffered"] as const)
  const random = randomWrites(dice, { now: 0, longest: "values" })
  const writes = [
    ...random.map((one) => ("removed" in one ? one : { ...one, expiresAt: undefined })),
    { key: markOf(history.newId()), value: "" }
  ]
  const commit = yield* database.write(writes.map(toOperation), { durability })
  history.acknowledged(commit, writes, durability)
})

const rotate = Effect.fnUntraced(function* ({ campaign, promise, sealed }: Stage, dice: Dice) {
  const { maintenance } = sealed
  yield* Effect.sleep(dice.pick([0, 1, 20]))
  const turn = dice.below(5)
  if (turn < 2) {
    const [before] = promise.masters as [number]
    const next = Math.max(before, ...promise.gone) + 1
    promise.masters = [before, next]
    yield* maintenance.rotateMasterKey(masterKey(next))
    promise.masters = [next]
    promise.gone = [...promise.gone, before]
    campaign.rotations.master += 1
  } else {
    const full = turn > 2
    const { generation } = yield* maintenance.rotateDataKey({ full })
    campaign.rotations.data += 1
    if (!full) return
    promise.generationMin = Math.max(promise.generationMin, generation)
    campaign.rotations.full += 1
  }
})

export const rotationRun = (seed: number, campaign: RotationCampaign): RotationRun => {
  const dice = new Dice(seed)
  const options = optionsOf(dice)
  const history = new History()
  const keys = new SimKeys(seed)
  const promise: KeyPromise = { masters: [1], gone: [], generationMin: 1 }
  const promised = () => ({ ...promise, durable: history.durable })
  const cutter = new Cutter(campaign, { seed, level: 0, promised })
  const device: SimDisk.SimDisk = SimDisk.make({ onOperation: (...call) => cutter.take(device, call) })
  const repeated = (times: number, body: (own: Dice) => Effect.Effect<void, DatabaseError>) => {
    const own = new Dice(dice.below(1e9))
    return Effect.forEach(Array.from({ length: times }), () => body(own), { discard: true })
  }
  const session = Effect.scoped(
    Effect.gen(function* () {
      const sealed = yield* openSealed(device, keys.layer(promise.masters[0]!), options)
      const stage: Stage = { sealed, history, promise, campaign }
      cutter.on = true
      const writers = [0, 1].map(() => repeated(8, (own) => write(stage, own)))
      const rotator = repeated(3, (own) => rotate(stage, own))
      yield* Effect.all([...writers, rotator], { concurrency: "unbounded", discard: true })
    })
  )
  runOrThrow(Effect.andThen(session, session), { seed, where: "the run itself" })
  assert.deepStrictEqual(device.openHandles(), [], `seed ${seed}: handles left open`)
  return { cuts: cutter.cuts, history, keys, options }
}

const runOrThrow = <A>(
  effect: Effect.Effect<A, unknown, Scope.Scope>,
  place: { readonly seed: number; readonly where: string }
): A => {
  const told = `seed ${place.seed}, ${place.where}`
  try {
    const exit = SimScheduler.run(quiet(Effect.scoped(effect)), { seed: place.seed })
    if (Exit.isSuccess(exit)) return exit.value
    throw new Error(told, { cause: exit.cause })
  } catch (cause) {
    throw cause instanceof Error && cause.message === told ? cause : new Error(told, { cause })
  }
}

/** Tries the key, and closes again. */
const opens = (cut: RotationCut, run: RotationRun, master: number): Effect.Effect<boolean> =>
  Effect.scoped(openSealed(SimDisk.make({ image: cut.image }), run.keys.layer(master), run.options)).pipe(
    Effect.as(true),
    Effect.catch(({ reason }) => {
      assert.strictEqual(reason._tag, "EncryptionKeyMismatch", reason.message)
      return Effect.succeed(false)
    })
  )

const masterOf = Effect.fnUntraced(function* (cut: RotationCut, run: RotationRun) {
  const open: Array<number> = []
  for (const master of [...cut.masters, ...cut.gone]) if (yield* opens(cut, run, master)) open.push(master)
  assert.lengthOf(open, 1, `${cut.masters.join(" or ")} opens it`)
  assert.include(cut.masters, open[0], "an old master key opens it")
  return open[0]!
})

const judge = Effect.fnUntraced(function* (cut: RotationCut, run: RotationRun) {
  const master = yield* masterOf(cut, run)
  const device = SimDisk.make({ image: cut.image })
  const session = <A, E>(body: (sealed: Sealed) => Effect.Effect<A, E>) =>
    Effect.scoped(Effect.flatMap(openSealed(device, run.keys.layer(master), run.options), body))
  const first = yield* session(
    Effect.fnUntraced(function* ({ database, maintenance }) {
      const found = yield* contentsOf(database)
      const last = found.reduce((highest, entry) => Math.max(highest, entry.sequence), 0)
      assert.isAtLeast(last, cut.durable, "an acknowledged commit is lost")
      assert.deepStrictEqual(found, run.history.model.at(last, 0), `not the state after commit ${last}`)
      const { generations } = (yield* maintenance.stats).encryption!
      assert.isAtLeast(generations[0]!.generation, cut.generationMin, "a forgotten key is in the keyring")
      const { keyGeneration } = yield* settledKeys(maintenance)
      for (const [name, generation] of generationsOf(visibleImage(device))) {
        assert.strictEqual(generation, keyGeneration, `${name} is sealed with a key that is forgotten`)
      }
      assert.lengthOf(keyringsOf(visibleImage(device)), 1)
      assert.deepStrictEqual(yield* contentsOf(database), found, "the rotation changed what is there")
      assert.deepStrictEqual((yield* maintenance.verify).damage, [])
      return found
    })
  )
  const second = yield* session(({ database }) => contentsOf(database))
  assert.deepStrictEqual(second, first, "the second open differs")
})

/** Opens the image, goes on with the rotation that it holds, and cuts the power after each call of that. */
const recoveryRun = (
  cut: RotationCut,
  run: RotationRun,
  { campaign, level, seed }: { readonly campaign: RotationCampaign; readonly level: number; readonly seed: number }
): RotationRun => {
  const place = { seed, where: cut.where }
  const master = runOrThrow(masterOf(cut, run), place)
  const promise = { masters: [master], gone: cut.masters.filter((other) => other !== master), durable: cut.durable }
  const { generationMin } = cut
  const promised = () => ({ ...promise, gone: [...cut.gone, ...promise.gone], generationMin })
  const cutter = new Cutter(campaign, { seed, level, promised })
  cutter.on = true
  const device: SimDisk.SimDisk = SimDisk.make({
    image: cut.image,
    onOperation: (...call) => cutter.take(device, call)
  })
  const session = Effect.gen(function* () {
    const { database, maintenance } = yield* openSealed(device, run.keys.layer(master), run.options)
    const found = yield* contentsOf(database)
    promise.durable = found.reduce((highest, entry) => Math.max(highest, entry.sequence), promise.durable)
    yield* settledKeys(maintenance)
  })
  runOrThrow(session, place)
  return { ...run, cuts: cutter.cuts }
}

const levelMax = 2

/** Opens and judges every cut. One in `nestedEvery` is cut again while it is recovered, and of those one again. */
export const judgeRotations = (
  run: RotationRun,
  campaign: RotationCampaign,
  options: { readonly seed: number; readonly nestedEvery: number; readonly imagesMax: number; readonly level?: number }
): void => {
  const { imagesMax, level = 1, nestedEvery, seed } = options
  run.cuts.forEach((cut, index) => {
    if (campaign.images >= imagesMax) return
    campaign.images += 1
    runOrThrow(judge(cut, run), { seed: seed + index, where: cut.where })
    if (level > levelMax || index % nestedEvery !== nestedEvery - 1) return
    const nested = recoveryRun(cut, run, { campaign, level, seed: seed + index })
    judgeRotations(nested, campaign, {
      seed: seed + index,
      nestedEvery: Math.max(1, nested.cuts.length),
      imagesMax,
      level: level + 1
    })
  })
}
