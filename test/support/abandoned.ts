// Begins things with a database and lets go of them again and again: cursors, snapshots, transactions, streams, writes
// and maintenance, each interrupted somewhere, ended early or failed in its midst. Prints what is left behind:
// `node --expose-gc <flags> abandoned.ts <count> <seed>`. In a process of its own, for other tests have handles too.
//
//   open     before and after so many, while the database is open and at rest: descriptors (without those of its
//            tables), threads, handles and timers, fibers, snapshots
//   closed   before it was opened first, and after it was closed
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Fiber, Metric, Stream } from "effect"
import { jobProgram } from "../../src/layers/NodeJobProgram.ts"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import { built, type Opened, quiet } from "./opened.ts"
import { Dice } from "./randomPlan.ts"
import { memoryBytes, resources } from "./processUse.ts"

const count = Number(process.argv[2])
const seed = Number(process.argv[3] ?? 1)
const worker = process.argv[4]
if (worker !== undefined) jobProgram.url = () => new URL(worker)
const dice = new Dice(seed)
const warmUp = 600
const keys = 400

const directory = mkdtempSync(join(tmpdir(), "strata-abandoned-"))
const layer = LsmDatabase.layer({
  directory,
  arenaBytes: 64 * 1024,
  valueThreshold: 400,
  valueBytesMax: 64 * 1024,
  directValueBytesMin: 16 * 1024,
  cacheBytes: 16 * 1024,
  blockBytes: 1024,
  openFilesMax: 16,
  level0TablesMin: 2,
  baseLevelBytes: 256 * 1024
})

const fibers = { started: 0, ended: 0 }
const fiberCounts = {
  recordFiberStart: () => void (fibers.started += 1),
  recordFiberEnd: () => void (fibers.ended += 1)
}

const keyOf = () => `key ${dice.below(keys)}`
const valueOf = () => new Uint8Array(dice.pick([10, 200, 1000, 5000]))
const long = Stream.fromIterable(Array.from({ length: 6 }, () => new Uint8Array(4000)))
const slowly = <A, E>(stream: Stream.Stream<A, E>) => Stream.tap(Stream.rechunk(stream, 1), () => Effect.yieldNow)

/** What somebody begins. */
const kinds: ReadonlyArray<(opened: Opened) => Effect.Effect<unknown, unknown>> = [
  ({ database }) =>
    Effect.scoped(Effect.flatMap(database.snapshot, (snapshot) => Stream.runDrain(slowly(snapshot.scan())))),
  ({ database }) =>
    Effect.scoped(
      Effect.flatMap(database.cursor(), (cursor) =>
        Effect.andThen(cursor.seek(keyOf()), Effect.forever(Effect.andThen(cursor.next, Effect.yieldNow)))
      )
    ),
  ({ database }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const tx = yield* database.begin()
        yield* tx.get(keyOf())
        yield* tx.set(keyOf(), valueOf())
        yield* Stream.runDrain(slowly(tx.scan({ limit: 20 })))
        if (dice.chance(50)) yield* tx.commit
      })
    ),
  ({ database }) =>
    database.transaction((tx) =>
      Effect.gen(function* () {
        yield* tx.count({ prefix: "key 1" })
        yield* tx.set(keyOf(), valueOf())
        yield* Effect.yieldNow
        if (dice.chance(30)) yield* Effect.fail("given up")
        yield* tx.setStream("streamed", slowly(long))
      })
    ),
  ({ database }) => Stream.runDrain(Stream.take(slowly(database.scan({ reverse: dice.chance(50) })), 3)),
  ({ database }) => Stream.runForEach(slowly(database.scanLazy()), (entry) => entry.value),
  ({ database }) => Effect.andThen(Stream.runDrain(slowly(database.keys())), database.count()),
  ({ database }) =>
    Effect.scoped(
      Effect.flatMap(database.getStream("streamed"), (stream) =>
        stream === undefined ? Effect.void : Stream.runDrain(Stream.take(slowly(stream), 1 + dice.below(3)))
      )
    ),
  ({ database }) => database.setStream("streamed", slowly(long)),
  ({ database }) =>
    database.setStream("never", Stream.concat(slowly(Stream.take(long, 2)), Stream.fail("the source broke"))),
  ({ database }) => database.set(keyOf(), valueOf(), { durability: dice.pick(["disk", "os", "buffered"] as const) }),
  ({ database }) => Effect.andThen(database.removeRange({ prefix: "key 39" }), database.sync),
  ({ database }) => database.getMany([keyOf(), keyOf(), keyOf()]),
  ({ maintenance }) => (dice.chance(10) ? maintenance.compact() : maintenance.flush),
  ({ maintenance }) => (dice.chance(10) ? maintenance.verify : maintenance.collectValues())
]

/** Begins one, lets some others run, and lets go of it. */
const abandon = (opened: Opened) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.ignore(dice.pick(kinds)(opened)))
    for (let turns = dice.below(dice.chance(20) ? 60 : 8); turns > 0; turns--) yield* Effect.yieldNow
    yield* Fiber.interrupt(fiber)
  })

/** Has what was written go to tables, which takes all arenas in turn: one that is pinned would stop it. */
const settled = Effect.fnUntraced(function* ({ database, maintenance }: Opened) {
  for (let index = 0; index < 4 * 64; index++) {
    yield* database.set(`rest ${index}`, new Uint8Array(350), { durability: "buffered" })
  }
  yield* maintenance.flush
  yield* maintenance.compact()
  yield* database.sync
  for (;;) {
    const { jobs } = yield* maintenance.stats
    if (jobs.running + jobs.waiting === 0) break
    yield* Effect.sleep(5)
  }
  // Timers of what was done just now have come to their end.
  yield* Effect.sleep(200)
})

const measured = Effect.fnUntraced(function* (opened: Opened) {
  yield* settled(opened)
  const { openFiles, snapshots } = yield* opened.maintenance.stats
  const bytes = yield* Effect.promise(memoryBytes)
  const { descriptors, ...rest } = resources()
  const open = { ...rest, descriptors: descriptors - openFiles, snapshots: snapshots.open }
  return { open: { ...open, fibers: fibers.started - fibers.ended }, bytes }
})

const session = Effect.scoped(
  Effect.gen(function* () {
    const opened = yield* built(layer)
    const repeat = (times: number) =>
      Effect.forEach(Array.from({ length: times }), () => abandon(opened), { discard: true })
    yield* repeat(warmUp)
    yield* measured(opened)
    const before = yield* measured(opened)
    const startedAt = performance.now()
    yield* repeat(count)
    const seconds = (performance.now() - startedAt) / 1000
    const after = yield* measured(opened)
    return { before: before.open, after: after.open, bytesEach: (after.bytes - before.bytes) / count, seconds }
  })
)

/** A worker that has ended is gone from the list of threads a moment later. */
const closed = Effect.map(Effect.sleep(200), resources)

const program = Effect.gen(function* () {
  // Once before: threads of the pool are made when they are used first, and stay.
  yield* Effect.scoped(Effect.flatMap(built(layer), settled))
  const closedBefore = yield* closed
  const open = yield* session
  return { ...open, closedBefore, closedAfter: yield* closed }
}).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, fiberCounts), quiet)

const result = await Effect.runPromise(program)
rmSync(directory, { recursive: true, force: true })
console.log(JSON.stringify(result))
