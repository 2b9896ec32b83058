// What must be true of an image that a power cut left:
//
//   1  it opens without help, with exactly one of the master keys that may open it, and with none that must not
//   2  what it holds is exactly what the history allows: no acknowledged commit is lost, no hole, none in part
//   3  `verify` finds no damage, and the directory has no file that its state does not name
//   4  it takes writes, whose sequences are above all that were ever told, and holds them when it is opened again
//   5  after everything is compacted and collected it holds the same, with no garbage
//   6  a checkpoint that had returned holds what it held
//   7  all of this is so again when the power is cut during the recovery, three levels deep
import { assert } from "@effect/vitest"
import { Clock, Effect, Layer, type Scope } from "effect"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as SimClock from "../../src/layers/SimClock.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { Disk, type DiskService } from "../../src/services/Disk.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import type { Tally } from "../campaigns/campaign.ts"
import { compressions } from "../support/codecs.ts"
import { judgeValues, namedBy, valueJudgeOptions } from "../support/crashValues.ts"
import { bytes, unexpired } from "../support/model.ts"
import { contentsOf, directory, type Opened, open, quiet } from "../support/opened.ts"
import { noOrphansSettled } from "../support/orphans.ts"
import { type Cut, Cutter } from "./cuts.ts"
import { placed, valueOf } from "./failure.ts"
import type { History } from "./history.ts"
import { encryptionsOf, type KeyPromise } from "./keys.ts"
import { numbersOf, type Plan, type PlanOptions } from "./plan.ts"
import { recoveryReached } from "./sights.ts"
import { judgeState } from "./readings.ts"
import type { State, Timeline } from "./timeline.ts"
import type { Span } from "./times.ts"

/** Written by the judge; no plan has this key. */
const after = "7e7e7e7e"

const levelMax = 3

export interface JudgeOptions {
  readonly plan: Plan
  readonly history: History
  readonly timeline: Timeline
  readonly tally: Tally
  /** What was judged, by `Cut.due`. */
  readonly judged: Set<string>
  /** On the clock of `performance.now()`: no more images are opened then. */
  readonly until: number
}

export type Opening = (
  disk: Layer.Layer<Disk>,
  options: OptionsInput,
  at?: string
) => Effect.Effect<Opened & { readonly master: number }, DatabaseError, Scope.Scope>

const compressionOf = ({ compression }: PlanOptions) =>
  compression === "default" ? undefined : compressions[compression]

/** Opens with the one of the keys that opens it. */
export const openingWith = (
  options: PlanOptions,
  masters: ReadonlyArray<number>,
  encryption: ReturnType<typeof encryptionsOf>
): Opening =>
  Effect.fnUntraced(function* (disk, given, at) {
    let refusal: DatabaseError | undefined
    for (const master of masters) {
      const parts = { ...given, encryption: encryption(master), compression: compressionOf(options) }
      const opened = yield* Effect.result(open(disk, parts, at))
      if (opened._tag === "Success") return { ...opened.success, master }
      if (opened.failure.reason._tag !== "EncryptionKeyMismatch") return yield* opened.failure
      refusal = opened.failure
    }
    return yield* refusal!
  })

const opensWith = (cut: Cut, master: number, encryption: ReturnType<typeof encryptionsOf>) =>
  Effect.scoped(
    open(MemoryDisk.fromImage(cut.image).layer, { ...valueJudgeOptions, encryption: encryption(master) })
  ).pipe(
    Effect.as(true),
    Effect.catch(({ reason }) => {
      assert.strictEqual(reason._tag, "EncryptionKeyMismatch", reason.message)
      return Effect.succeed(false)
    })
  )

/** No other key opens it. */
const judgeKeys = Effect.fnUntraced(function* (cut: Cut, master: number, encryption: ReturnType<typeof encryptionsOf>) {
  for (const other of [...cut.keys.masters, ...cut.keys.gone.slice(-1)]) {
    if (other === master) continue
    assert.isFalse(yield* opensWith(cut, other, encryption), `master key ${other} opens it, as does ${master}`)
  }
})

const generationsKept = (opened: Opened, { generationMin }: KeyPromise) =>
  Effect.map(opened.maintenance.stats, ({ encryption }) => {
    if (encryption === undefined) return
    assert.isAtLeast(encryption.generations[0]!.generation, generationMin, "a forgotten key is in the keyring")
  })

/** What the wall clock shows now, and the most that it ever did. */
const clockOf = (cut: Cut) =>
  Effect.map(Clock.currentTimeMillis, (now): Span => ({ from: now, to: Math.max(now, cut.clock.to) }))

const judgeCut = Effect.fnUntraced(function* (cut: Cut, device: DiskService, judging: JudgeOptions) {
  const { history, plan, tally, timeline } = judging
  const seed = plan.seed + numbersOf(cut.place).reduce((sum, number) => sum * 31 + number, 7)
  const encryption = encryptionsOf(plan.options.encrypted, seed % 2 ** 40)
  const opening = openingWith(plan.options, cut.keys.masters, encryption)
  const disk = Layer.succeed(Disk, device)
  const first = yield* Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* opening(disk, valueJudgeOptions)
      const { database, maintenance, master } = opened
      recoveryReached(database.recovery, (situation) => tally.reach(situation))
      const { from } = yield* clockOf(cut)
      const found = yield* contentsOf(database)
      history.judge(found, { promised: cut.promised, clock: { ...(yield* clockOf(cut)), from }, timeline })
      seen(found, cut, judging)
      yield* generationsKept(opened, cut.keys)
      const commit = yield* database.write([{ type: "set", key: bytes(after), value: "after" }])
      assert.isAbove(commit.sequence, cut.promised.told, "a sequence names two commits")
      assert.deepStrictEqual((yield* maintenance.verify).damage, [])
      return { found, master }
    })
  )
  const { found, master } = first
  if (plan.options.encrypted) yield* judgeKeys(cut, master, encryption)
  yield* namedBy({ disk: device, directory, logSegments: undefined, encryption: encryption(master) }, true)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const again = yield* openingWith(plan.options, [master], encryption)(disk, valueJudgeOptions)
      yield* again.maintenance.flush
      yield* noOrphansSettled(device, { directory, encryption: encryption(master), maintenance: again.maintenance })
      const second = yield* contentsOf(again.database)
      const now = yield* Clock.currentTimeMillis
      assert.deepStrictEqual(
        second.filter(({ expiresAt = now + 1, key }) => key !== after && expiresAt > now),
        unexpired(found, now),
        "the second open differs"
      )
      assert.isTrue(second.some(({ key }) => key === after))
      if (seed % 4 === 0) yield* judgeValues(again, device, encryption(master))
      if (cut.copy !== undefined && seed % 3 === 0) yield* judgeCopy(cut, judging, disk)
    })
  )
})

/** What was in doubt before the cut, and is decided. */
const seen = (found: State, cut: Cut, { history, tally }: JudgeOptions): void => {
  const marks = history.marksIn(found)
  for (const { durability, id, sequence, session, state } of history.commits) {
    if (session !== cut.promised.session || id > cut.promised.submitted) continue
    const isThere = marks.has(id)
    if (state === "unknown") tally.reach(isThere ? "a commit in doubt that is there" : "a commit in doubt that is lost")
    if (state !== "acknowledged" || sequence > cut.promised.told) continue
    if (durability === "os" && !isThere) tally.reach("an os commit that a power cut takes")
    if (durability === "buffered" && isThere && sequence > cut.promised.durable) {
      tally.reach("a buffered commit that survives a power cut")
    }
  }
  if ([...marks.values()].some((sequence) => sequence > cut.promised.told)) {
    tally.reach("a commit that survives before it was acknowledged")
  }
}

const judgeCopy = Effect.fnUntraced(function* (cut: Cut, judging: JudgeOptions, disk: Layer.Layer<Disk>) {
  const { history, plan, tally, timeline } = judging
  const { directory: at, sequence } = cut.copy!
  const encryption = encryptionsOf(plan.options.encrypted, plan.seed + 5)
  const masters = [...cut.keys.masters, ...cut.keys.gone]
  const { database } = yield* openingWith(plan.options, masters, encryption)(disk, valueJudgeOptions, at)
  const { from } = yield* clockOf(cut)
  const found = yield* contentsOf(database)
  const time = history.timeOf(found, { ...(yield* clockOf(cut)), from })
  judgeState(found, timeline.at(sequence), [time, `the checkpoint ${at}`])
  tally.reach("a checkpoint that is opened after a crash")
})

/** Opens the image on a simulated disk and cuts the power after each call of that: what was recovered must stay. */
const recoveryCuts = (cut: Cut, { history, plan }: JudgeOptions): ReadonlyArray<Cut> => {
  let { promised } = cut
  const encryption = encryptionsOf(plan.options.encrypted, plan.seed + 11)
  const level = cut.place.calls.length
  const clock = clockAfter(cut, plan)
  const cutter = new Cutter({
    plan,
    place: cut.place,
    files: () => device.files,
    due: () => ({ promised, keys: cut.keys, copy: cut.copy, clock: seenBy(clock, cut) }),
    sights: () => [
      "a crash inside recovery",
      ...(level > 1 ? ["a crash inside the recovery of a recovery" as const] : []),
      ...(level > 2 ? ["a crash inside the third recovery" as const] : [])
    ]
  })
  const device: SimDisk.SimDisk = SimDisk.make({
    image: cut.image,
    onOperation: (index, operation, path) => cutter.after(index, [operation, path])
  })
  const program = Effect.gen(function* () {
    const opening = openingWith(plan.options, cut.keys.masters, encryption)
    const { database } = yield* opening(device.layer, valueJudgeOptions)
    const found = yield* contentsOf(database)
    const marks = history.marksIn(found)
    promised = { ...promised, durable: Math.max(promised.durable, ...marks.values()), found: marks }
    cutter.promised()
    yield* Effect.sleep(100)
  })
  simulated(program, cut, { plan, clock })
  return cutter.cuts
}

/** Of who opens what the cut left: as it was, or set back to the beginning of everything, or an hour ahead. */
const clockAfter = (cut: Cut, { seed }: Plan): SimClock.SimClock => {
  const turn = (seed + numbersOf(cut.place).reduce((sum, number) => sum + number, 0)) % 3
  if (turn === 0) return new SimClock.SimClock()
  return new SimClock.SimClock(cut.clock.from + (turn === 1 ? 0 : 3_600_000))
}

const seenBy = (clock: SimClock.SimClock, cut: Cut): Span => {
  const now = clock.currentTimeMillisUnsafe()
  return { from: now, to: Math.max(now, cut.clock.to) }
}

const simulated = <A>(
  effect: Effect.Effect<A, unknown, Scope.Scope>,
  cut: Cut,
  { clock, plan }: { readonly plan: Plan; readonly clock: SimClock.SimClock }
): void => {
  const { place, where } = cut
  const options = { seed: plan.seed + place.calls.length, clock, stepsMax: 1_000_000 }
  placed({ place, where: `cut after ${where}` }, () => valueOf(SimScheduler.run(quiet(Effect.scoped(effect)), options)))
}

/** Of the cuts of one recovery so many are judged. */
const nestedMax = 8

/** Opens and judges every cut; of some, the recovery is cut and judged in the same way. */
export const judgeCuts = (cuts: ReadonlyArray<Cut>, judging: JudgeOptions): void => {
  const { judged, plan, tally, until } = judging
  const { nestedEvery, only } = plan.crash
  cuts.forEach((cut, index) => {
    if (performance.now() > until) return
    tally.addImage(cut.hash)
    if (judged.has(cut.due)) return
    judged.add(cut.due)
    const { disk } = MemoryDisk.fromImage(cut.image)
    simulated(judgeCut(cut, disk, judging), cut, { plan, clock: clockAfter(cut, plan) })
    for (const situation of cut.sights) tally.reach(situation)
    const level = cut.place.calls.length
    if (level > levelMax) return
    // Deeper down one of each list, so that the levels end.
    const every = level === 1 ? nestedEvery : cuts.length
    if (only === undefined && (nestedEvery === 0 || index % every !== every - 1)) return
    judgeCuts(spread(recoveryCuts(cut, judging), only === undefined ? nestedMax : Number.POSITIVE_INFINITY), judging)
  })
}

/** At most so many, from the first to the last. */
const spread = <A>(items: ReadonlyArray<A>, max: number): ReadonlyArray<A> =>
  items.length <= max ? items : items.filter((_, index) => index % Math.ceil(items.length / max) === 0)
