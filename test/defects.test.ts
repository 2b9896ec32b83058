// Bugs in background work, played by a disk that dies where it should fail: nobody waits for ever, nothing is lost.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import { Disk, type DiskService } from "../src/services/Disk.ts"
import { open, quiet, smallOptions } from "./support/opened.ts"

interface Bug {
  /** Where it strikes. */
  where: (path: string, size: number) => boolean
  left: number
}

/** A disk on which nothing may be made while the bug is there. */
const buggy = (bug: Bug): Layer.Layer<Disk> => {
  const strike = (path: string, size: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (bug.left === 0 || !bug.where(path, size)) return Effect.void
      bug.left -= 1
      return Effect.die(new Error("a planted bug"))
    })
  const planted = (disk: DiskService): DiskService => ({
    ...disk,
    create: (path) =>
      Effect.andThen(
        strike(path, 0),
        Effect.map(disk.create(path), (file) => ({
          path: file.path,
          size: () => file.size(),
          append: (chunks: ReadonlyArray<Uint8Array>) => Effect.andThen(strike(path, file.size()), file.append(chunks)),
          sync: file.sync,
          close: file.close
        }))
      )
  })
  return Layer.effect(Disk, Effect.map(Disk, planted)).pipe(Layer.provide(MemoryDisk.make().layer))
}

describe("a bug", () => {
  it.effect("in a flush is told after some tries, which go on", () =>
    Effect.gen(function* () {
      const bug: Bug = { where: (path) => path.endsWith(".sst"), left: 0 }
      const { database, maintenance } = yield* open(buggy(bug), smallOptions)
      yield* database.set("a", "1")
      bug.left = 3
      const flushing = yield* Effect.forkChild(Effect.flip(maintenance.flush), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      const error = yield* Fiber.join(flushing)
      assert.match(error.message, /^JobFailed: a bug in a job.*a planted bug/s)
      yield* TestClock.adjust("2 seconds")
      yield* maintenance.flush
      yield* database.set("b", "2")
      assert.strictEqual(yield* database.count(), 2)
      assert.strictEqual((yield* maintenance.stats).state, "healthy")
    }).pipe(quiet, Effect.scoped)
  )

  it.effect("in the commit path fails who waits for the commit, and refuses all that come after", () =>
    Effect.gen(function* () {
      const bug: Bug = { where: (path) => path.endsWith(".wal"), left: 0 }
      const disk = yield* Layer.build(buggy(bug))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { database } = yield* open(Layer.succeedContext(disk), smallOptions)
          yield* database.set("a", "1")
          bug.left = 1
          assert.match(
            (yield* Effect.flip(database.set("b", "2"))).message,
            /^CommitOutcomeUnknown: a defect in the commit path/
          )
          assert.match((yield* Effect.flip(database.set("c", "3"))).message, /^Poisoned: /)
          assert.isTrue(yield* database.has("a"))
        })
      )
      const { database } = yield* open(Layer.succeedContext(disk), smallOptions)
      assert.isTrue(yield* database.has("a"))
    }).pipe(quiet, Effect.scoped)
  )

  it.effect("after a flush's job poisons the database, whose reads go on and whose next open has all", () =>
    Effect.gen(function* () {
      const bug: Bug = { where: (path, size) => path.endsWith(".man") && size > 0, left: 0 }
      const disk = yield* Layer.build(buggy(bug))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { database, maintenance } = yield* open(Layer.succeedContext(disk), smallOptions)
          yield* database.set("a", "1")
          bug.left = 1
          const error = yield* Effect.flip(maintenance.flush)
          assert.match(error.message, /^Poisoned: a bug in background work.*a planted bug/s)
          assert.match((yield* Effect.flip(database.set("b", "2"))).message, /^Poisoned: /)
          assert.match((yield* Effect.flip(maintenance.flush)).message, /^Poisoned: /)
          assert.isTrue(yield* database.has("a"))
        })
      )
      const { database, maintenance } = yield* open(Layer.succeedContext(disk), smallOptions)
      assert.isTrue(yield* database.has("a"))
      yield* maintenance.flush
    }).pipe(quiet, Effect.scoped)
  )
})
