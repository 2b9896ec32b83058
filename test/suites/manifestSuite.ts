// The contract of `Manifest`, one test for each numbered invariant in the contract's words. Every layer passes them.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, type Scope, Fiber } from "effect"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { ManifestService } from "../../src/services/Manifest.ts"
import { namingTable, tableMeta, tagOf, valueFileMeta } from "../support/fileSession.ts"

export interface ManifestUnderTest {
  readonly open: Effect.Effect<ManifestService, DatabaseError, Scope.Scope>
  /** Opens what a power cut now would leave, without what was not durable; absent where the disk cannot tell. */
  readonly openAfterPowerCut?: Effect.Effect<ManifestService, DatabaseError, Scope.Scope>
  /** The next call of this kind on a manifest fails. */
  readonly failNext: (operation: "append" | "sync", code: string, bytesAccepted?: number) => void
  /** Changes one bit of the newest manifest, or cuts bytes off its end. */
  readonly damage: (how: "flip" | "cut") => Effect.Effect<void>
  /** Leaves the first bytes of a marker under a new name. */
  readonly tearMarker: Effect.Effect<void>
  readonly listing: Effect.Effect<string>
  /** A file of the size that `tableMeta` names, synced. */
  readonly makeFile: (kind: "table" | "value", number: number) => Effect.Effect<void>
  /** A directory that is not there. */
  readonly copyDirectory: string
  /** As `open` and `openAfterPowerCut`, of what is there. */
  readonly openCopy: ManifestUnderTest["open"]
  readonly openCopyAfterPowerCut?: ManifestUnderTest["open"]
}

type Use = (name: string, body: (under: ManifestUnderTest) => Effect.Effect<void, unknown, Scope.Scope>) => void

export const manifestSuite = (
  layerName: string,
  make: Effect.Effect<ManifestUnderTest, unknown, Scope.Scope>
): void => {
  const use: Use = (name, body) => it.live(name, () => Effect.flatMap(make, body))
  describe(`Manifest (${layerName})`, () => {
    states(use)
    failures(use)
  })
}

const began = Effect.fnUntraced(function* (under: ManifestUnderTest) {
  const manifest = yield* under.open
  yield* manifest.begin({ sequencesReserved: 100 })
  return manifest
})

/** Without the directory of copies, which lies in this one. */
const ownListing = ({ copyDirectory, listing }: ManifestUnderTest) =>
  Effect.map(listing, (text) =>
    text
      .split("\n")
      .filter((line) => !copyDirectory.endsWith(line.split(" ", 1)[0]!))
      .join("\n")
  )

const reserved = (open: ManifestUnderTest["open"]) =>
  Effect.scoped(Effect.map(open, (manifest) => manifest.state().sequencesReserved))

const states = (use: Use): void => {
  use(
    "1. after begin or publish returned, the change survives a power cut; before, it is the old one or the new one",
    (under) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const manifest = yield* began(under)
            const again = under.openAfterPowerCut
            if (again !== undefined) assert.strictEqual(yield* reserved(again), 100)
            const number = manifest.allocateFileNumber()
            yield* manifest.publish({ addTables: [tableMeta(number)], sequencesReserved: 200 })
            if (again !== undefined) assert.strictEqual(yield* reserved(again), 200)
            yield* manifest.publish({ removeTables: [number], lsnDurable: 9 })
          })
        )
        const manifest = yield* under.open
        assert.deepInclude(manifest.state(), { epoch: 1, sequencesReserved: 200, tables: [], lsnDurable: 9 })
      })
  )

  use("1. after begin or publish returned, the change survives a power cut: also one of value files", (under) =>
    Effect.gen(function* () {
      const found = (open: ManifestUnderTest["open"]) =>
        Effect.scoped(Effect.map(open, (manifest) => manifest.state().valueFiles))
      const manifest = yield* began(under)
      const [first, second] = [manifest.allocateFileNumber(), manifest.allocateFileNumber()]
      const addTables = [namingTable(manifest.allocateFileNumber(), [first, second])]
      yield* manifest.publish({ addTables, addValueFiles: [first, second].map((number) => valueFileMeta(number)) })
      // Both in one file now, under the ids that the table names.
      const rewritten = valueFileMeta(manifest.allocateFileNumber(), [first, second])
      yield* manifest.publish({ addValueFiles: [rewritten], removeValueFiles: [second, first] })
      assert.deepStrictEqual(manifest.state().valueFiles, [rewritten])
      const again = under.openAfterPowerCut
      if (again !== undefined) assert.deepStrictEqual(yield* found(again), [rewritten])
    })
  )

  use("2. before begin, nothing in the directory has changed; begin starts a new epoch in a new file", (under) =>
    Effect.gen(function* () {
      const empty = yield* under.listing
      yield* Effect.scoped(under.open)
      assert.strictEqual(yield* under.listing, empty)
      yield* Effect.scoped(began(under))
      const first = yield* under.listing
      yield* Effect.scoped(
        Effect.gen(function* () {
          const manifest = yield* under.open
          assert.isTrue(manifest.exists)
          assert.strictEqual(manifest.epochNext, 2)
          assert.strictEqual(manifest.state().epoch, 1)
          yield* manifest.begin({})
          assert.strictEqual(manifest.state().epoch, 2)
        })
      )
      const second = yield* under.listing
      for (const line of second.split("\n")) assert.notInclude(first, line)
      assert.strictEqual(second.split("\n").length, first.split("\n").length)
    })
  )

  use("2. publish before begin is a defect", (under) =>
    Effect.gen(function* () {
      const manifest = yield* under.open
      const exit = yield* Effect.exit(manifest.publish({}))
      assert.isTrue(Exit.hasDies(exit))
    })
  )

  use("3. state() is what is durable: it changes when publish returns, not before", (under) =>
    Effect.gen(function* () {
      const manifest = yield* began(under)
      const before = manifest.state()
      under.failNext("append", "ENOSPC", 10)
      assert.strictEqual(yield* tagOf(manifest.publish({ sequencesReserved: 300 })), "DiskFull")
      assert.deepStrictEqual(manifest.state(), before)
      yield* manifest.publish({ sequencesReserved: 400 })
      assert.strictEqual(before.sequencesReserved, 100)
      assert.strictEqual(manifest.state().sequencesReserved, 400)
      if (under.openAfterPowerCut !== undefined) assert.strictEqual(yield* reserved(under.openAfterPowerCut), 400)
    })
  )

  use("6. a file number is given out once", (under) =>
    Effect.gen(function* () {
      const given = new Set<number>()
      for (let round = 0; round < 3; round++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const manifest = yield* under.open
            yield* manifest.begin({})
            for (let count = 0; count < 5; count++) {
              const number = manifest.allocateFileNumber()
              assert.isAbove(number, 0)
              assert.isFalse(given.has(number), `${number} again`)
              given.add(number)
            }
            yield* manifest.publish({})
          })
        )
      }
    })
  )

  use(
    "7. after copyTo returned, the directory holds a database of those tables, which survives a power cut; this one " +
      "does not change",
    (under) =>
      Effect.gen(function* () {
        const manifest = yield* began(under)
        const [copied, values, other] = [1, 2, 3].map(() => manifest.allocateFileNumber()) as [number, number, number]
        yield* under.makeFile("table", copied)
        yield* under.makeFile("value", values)
        const tables = [namingTable(copied, [values])]
        const valueFiles = [valueFileMeta(values)]
        const addValueFiles = [valueFileMeta(other), ...valueFiles]
        const addTables = [...tables, namingTable(other, [other])]
        yield* manifest.publish({ addTables, addValueFiles, commitMillisMax: 5, lsnDurable: 9 })
        const [before, listing] = [manifest.state(), yield* under.listing]
        yield* manifest.copyTo(under.copyDirectory, { tables, valueFiles, lastSequence: 77 })
        assert.deepStrictEqual(manifest.state(), before)
        assert.strictEqual(yield* ownListing(under), listing)
        for (const open of [under.openCopyAfterPowerCut ?? under.openCopy, under.openCopy]) {
          const copy = yield* Effect.scoped(open)
          const { incarnation, ...state } = copy.state()
          assert.notDeepEqual(incarnation, before.incarnation)
          assert.isAbove(state.fileNumberNext, other)
          assert.deepInclude(state, {
            databaseId: before.databaseId,
            epoch: before.epoch,
            tables,
            valueFiles,
            logNumberMin: 0,
            sequencesReserved: 100,
            commitMillisMax: 5,
            lsnDurable: 0,
            cleanShutdown: { lastLsn: 0, lastSequence: 77 }
          })
        }
      })
  )

  use("7. if copyTo fails, the directory holds no database", (under) =>
    Effect.gen(function* () {
      const manifest = yield* began(under)
      const number = manifest.allocateFileNumber()
      yield* under.makeFile("table", number)
      const copy = manifest.copyTo(under.copyDirectory, {
        tables: [tableMeta(number)],
        valueFiles: [],
        lastSequence: 77
      })
      for (const operation of ["append", "sync"] as const) {
        under.failNext(operation, "EIO")
        assert.strictEqual(yield* tagOf(copy), "Io")
        assert.strictEqual(yield* tagOf(Effect.scoped(under.openCopy)), "Invalid")
      }
      yield* manifest.publish({ sequencesReserved: 200 })
      yield* copy
      assert.isTrue((yield* Effect.scoped(under.openCopy)).exists)
    })
  )

  use("publishes wait for each other", (under) =>
    Effect.gen(function* () {
      const manifest = yield* began(under)
      const numbers = Array.from({ length: 20 }, () => manifest.allocateFileNumber())
      const publishes = numbers.map((number) => manifest.publish({ addTables: [tableMeta(number)] }))
      yield* Effect.all(publishes, { concurrency: "unbounded" })
      assert.strictEqual(manifest.state().tables.length, 20)
      if (under.openAfterPowerCut === undefined) return
      const again = yield* under.openAfterPowerCut
      assert.deepStrictEqual(again.state().tables, manifest.state().tables)
    })
  )
}

const failures = (use: Use): void => {
  use("4. a failed sync or close fails Poisoned, then and at every later call; nothing is removed after it", (under) =>
    Effect.gen(function* () {
      const manifest = yield* began(under)
      under.failNext("sync", "EIO")
      assert.strictEqual(yield* tagOf(manifest.publish({ sequencesReserved: 300 })), "Poisoned")
      const listing = yield* under.listing
      assert.strictEqual(yield* tagOf(manifest.publish({})), "Poisoned")
      assert.strictEqual(yield* tagOf(manifest.removeOrphans(() => false)), "Poisoned")
      assert.strictEqual(yield* under.listing, listing)
      assert.strictEqual(manifest.state().sequencesReserved, 100)
    })
  )

  use("4. ifSound runs in turn with publish, and not at all after a failed sync", (under) =>
    Effect.gen(function* () {
      const manifest = yield* began(under)
      let ran = 0
      const run = manifest.ifSound(Effect.sync(() => (ran += 1)))
      yield* run
      assert.strictEqual(ran, 1)
      under.failNext("sync", "EIO")
      const publishing = yield* Effect.forkChild(tagOf(manifest.publish({ sequencesReserved: 300 })), {
        startImmediately: true
      })
      yield* run
      assert.strictEqual(yield* Fiber.join(publishing), "Poisoned")
      yield* run
      assert.strictEqual(ran, 1)
    })
  )

  use("5. a damaged manifest is Corruption; a torn last edit is not damage", (under) =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.flatMap(began(under), (manifest) =>
          Effect.andThen(manifest.publish({ sequencesReserved: 200 }), manifest.publish({ sequencesReserved: 300 }))
        )
      )
      yield* under.damage("cut")
      assert.strictEqual(yield* reserved(under.open), 200)
      yield* under.damage("flip")
      assert.strictEqual(yield* tagOf(Effect.scoped(under.open)), "Corruption")
    })
  )

  use("5. a torn newest marker beside a valid older one is not damage", (under) =>
    Effect.gen(function* () {
      yield* Effect.scoped(began(under))
      yield* under.tearMarker
      yield* Effect.scoped(
        Effect.gen(function* () {
          const manifest = yield* under.open
          assert.strictEqual(manifest.state().sequencesReserved, 100)
          yield* manifest.begin({ sequencesReserved: 200 })
        })
      )
      assert.strictEqual(yield* reserved(under.open), 200)
      assert.strictEqual((yield* under.listing).split("\n").filter((line) => line.includes(".mark")).length, 1)
    })
  )
}
