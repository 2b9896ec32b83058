// One workload over three sessions on a simulated disk, and what it must keep to whatever call of the disk fails.
//
// The workload is the same for a seed up to the call that fails, so a clean run tells which calls there are. Each of
// its steps succeeds or fails with a `DatabaseError` that blames the disk; nothing else ends it, and nothing waits for
// ever. What is read agrees with the ledger; some of it expires meanwhile. At the end the disk works again, and what it
// holds is opened: as it is (a killed process), and after a power cut that kept nothing or all of what was not synced.
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Scope } from "effect"
import { SimClock } from "../../src/layers/SimClock.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type { FaultRule, SimOperation } from "../../src/layers/SimFaults.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import { Ledger, type Survival } from "./faultLedger.ts"
import { attempted, blames, canonical, Session, type SessionTime, type Weather, type Workload } from "./faultSession.ts"
import { contentsOf, open, quiet, visibleImage } from "./opened.ts"
import { Dice, toOperation } from "./randomPlan.ts"
import { hashOf } from "./imageHash.ts"

/** A disk that somebody may open next, and what must be on it. */
interface Left {
  readonly image: ReadonlyMap<string, Uint8Array>
  readonly ledger: Ledger
  readonly survival: Survival
  readonly where: string
}

const judged = new Set<string>()

/** Whether the same files were judged by the same ledger before: most faults change nothing of what is left. */
const isKnown = ({ image, ledger, survival }: Left): boolean => {
  const key = hashOf(image, `${survival} ${ledger.key}`)
  if (judged.has(key)) return true
  judged.add(key)
  return false
}

/** Opens what a crash left, as the next process would, and as the one after that. */
const reopen = (left: Left, { judgeOptions }: Workload, seed: number): void => {
  if (isKnown(left)) return
  const { image, ledger, survival, where } = left
  const { layer } = MemoryDisk.fromImage(image)
  const program = Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const { database, maintenance } = yield* open(layer, { ...judgeOptions, arenaBytes: 4096 })
        ledger.judge(yield* contentsOf(database), survival)
        assert.deepStrictEqual((yield* maintenance.verify).damage, [])
        const { told } = ledger
        const commit = ledger.submit([], "disk")
        const { sequence } = yield* database.write(commit.writes.map(toOperation))
        assert.isAbove(sequence, told, "a sequence names two commits")
        ledger.acknowledge(commit, sequence)
      })
    )
    const again = yield* Effect.scoped(
      Effect.flatMap(open(layer, judgeOptions), ({ database }) => contentsOf(database))
    )
    ledger.judge(again, "closed")
  })
  const exit = SimScheduler.run(quiet(program), { seed, stepsMax: 100_000 })
  if (Exit.isFailure(exit)) throw new Error(`opened ${where}, after a ${survival}`, { cause: Cause.squash(exit.cause) })
}

const kept = outcomes.filter(({ data, names, size }) => data === names && size === (data === "none" ? "old" : "new"))

/**
 * What is on the disk now, in the ways a crash could leave it. `isSound`: what was given to the system is still there.
 */
export const leftBehind = (
  device: SimDisk.SimDisk,
  ledger: Ledger,
  now: { readonly where: string; readonly isSound: boolean }
): ReadonlyArray<Left> => {
  const { isSound, where } = now
  const random = new SeededRandom(1)
  return [
    { image: visibleImage(device), ledger: ledger.copy(), survival: isSound ? "processCrash" : "powerCut", where },
    ...kept.map((outcome) => ({
      image: device.files.crash(outcome, random),
      ledger: ledger.copy(),
      survival: "powerCut" as const,
      where: `${where}, ${outcome.name}`
    }))
  ]
}

const isOutcomeUnknown = (rule: FaultRule | undefined, operation: SimOperation): boolean =>
  operation === "sync" ||
  operation === "syncDirectory" ||
  operation === "closeAppend" ||
  rule?.code === "ESHORT" ||
  (operation === "append" && rule?.bytesAccepted === Number.POSITIVE_INFINITY)

/** A file that ends before its end is damaged, as far as anybody can see: that lasts until it is opened again. */
const shortBlames = new Set([...blames, "Corruption"] as const)

export interface FaultRun {
  readonly log: ReadonlyArray<SimDisk.OperationRecord>
  readonly failures: ReadonlyArray<string>
  readonly steps: number
}

/** The calls of the log from the index on that failed, and left in doubt what they had done. */
const doubtful = (log: ReadonlyArray<SimDisk.OperationRecord>, rule: FaultRule | undefined, from: number) =>
  log.slice(from).some(({ code, operation }) => isFault(code) && isOutcomeUnknown(rule, operation))

// `ENOENT` is what the engine asks for when it looks whether a directory exists.
const isFault = (code: string | undefined): boolean => code !== undefined && code !== "ENOENT"

/** A failed sync is not repeated on its file, and after a failed sync of the manifest nothing is removed. */
const checkLog = (log: ReadonlyArray<SimDisk.OperationRecord>, sessions: ReadonlyArray<number>): void => {
  const failedSyncs = new Set<string>()
  /** Files that were given up before they were whole: nothing can name them. */
  const unborn = new Set<string>()
  /** Files whose names are not durable yet: no manifest names them. */
  const nameless = new Set<string>()
  let manifestFailed = false
  for (const { code, index, operation, path } of log) {
    if (sessions.includes(index)) manifestFailed = false
    if (operation === "append" && code !== undefined && !/manifest-|current-/.test(path)) unborn.add(path)
    if (operation === "create" && code === undefined) {
      failedSyncs.delete(path)
      nameless.add(path)
    }
    if (operation === "syncDirectory" && code === undefined) nameless.clear()
    if (operation === "sync") {
      assert.isFalse(failedSyncs.has(path), `call ${index}: a second sync of ${path}`)
      if (code !== undefined) failedSyncs.add(path)
      if (code !== undefined && /manifest-|current-/.test(path)) manifestFailed = true
    }
    if (operation === "remove" && !unborn.has(path) && !nameless.has(path))
      assert.isFalse(manifestFailed, `call ${index}: ${path} is removed after a failed sync`)
  }
}

const lifetimesMillis = [1, 100, 3000, 86_400_000]

const timeOf = (seed: number, clock: SimClock): SessionTime => {
  const dice = new Dice(seed + 2)
  return {
    expiry: () => (dice.chance(15) ? clock.currentTimeMillisUnsafe() + dice.pick(lifetimesMillis) : undefined),
    reading: () => {
      const leastMillis = clock.currentTimeMillisUnsafe()
      return () => ({ leastMillis, mostMillis: clock.currentTimeMillisUnsafe() })
    }
  }
}

/** Runs the workload with the fault, and judges every state that could be found afterwards. */
export const faultRun = (seed: number, rule: FaultRule | undefined, workload: Workload = canonical): FaultRun => {
  const dice = new Dice(seed)
  const ledger = new Ledger()
  const device = SimDisk.make({ faults: rule === undefined ? [] : [rule], synchronousAppends: seed % 2 === 1 })
  const sessions: Array<number> = []
  const failures: Array<string> = []
  const left: Array<Left> = []
  const struck = () => device.log.some(({ code }) => isFault(code))
  const isSound = () => !doubtful(device.log, rule, sessions.at(-1)!)
  const isShort = rule?.code === "ESHORT"
  const isOver = () => rule === undefined || (rule.sticky !== true && struck())
  const clock = new SimClock()
  const weather: Weather = {
    isOver: () => !isShort && isOver(),
    isSound,
    blames: isShort ? shortBlames : undefined,
    time: timeOf(seed, clock)
  }
  const runSession = Effect.fnUntraced(function* (number: number, { options, script }: Workload["scripts"][number]) {
    sessions.push(device.log.length)
    const [wasStruck, mustOpen] = [struck(), isOver()]
    const scope = yield* Scope.make()
    const opened = yield* attempted(`open ${number}`, Scope.provide(open(device.layer, options), scope), weather)
    if (opened._tag === "Success") {
      const session = new Session(opened.value, { ledger, dice, weather })
      yield* script(session)
      failures.push(...session.failures)
    } else if (mustOpen) throw new Error(`open ${number} failed, though the disk works again`, { cause: opened.error })
    else failures.push(`open ${number}: ${opened.error.reason._tag}`)
    const where = `at the end of session ${number}`
    if (!wasStruck && struck()) left.push(...leftBehind(device, ledger, { where, isSound: isSound() }))
    yield* Scope.close(scope, Exit.void)
    // What failed before the session was opened does not count, but what failed when it was closed does.
    const hasFailed = device.log.slice(sessions.at(-1)).some(({ code }) => isFault(code))
    ledger.reopened(!isSound() ? "powerCut" : hasFailed ? "processCrash" : "closed")
  })
  const program = Effect.forEach(workload.scripts, (script, index) => runSession(index + 1, script), { discard: true })
  const { exit, steps } = SimScheduler.runTraced(quiet(program), { seed, clock, stepsMax: 100_000 })
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  assert.deepStrictEqual(device.openHandles(), [], "handles left open")
  checkLog(device.log, sessions)
  device.clearFaults()
  left.push(...leftBehind(device, ledger, { where: "at the end", isSound: !doubtful(device.log, rule, 0) }))
  for (const one of left) reopen(one, workload, seed)
  return { log: device.log, failures, steps }
}

export { directory, open, type Opened } from "./opened.ts"
