// Failures that other engines had, each by its name: what happened there, played on ours.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope, Stream } from "effect"
import * as ArenaMemtable from "../src/layers/ArenaMemtable.ts"
import * as FileManifest from "../src/layers/FileManifest.ts"
import * as FileSsTable from "../src/layers/FileSsTable.ts"
import * as InlineJobs from "../src/layers/InlineJobs.ts"
import * as FileValueLog from "../src/layers/FileValueLog.ts"
import * as FileWal from "../src/layers/FileWal.ts"
import * as LocalOracle from "../src/layers/LocalOracle.ts"
import * as LsmDatabase from "../src/layers/LsmDatabase.ts"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as NoEncryption from "../src/layers/NoEncryption.ts"
import * as SieveBlockCache from "../src/layers/SieveBlockCache.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { Database, type Operation } from "../src/services/Database.ts"
import { DatabaseError } from "../src/services/DatabaseError.ts"
import { Directory } from "../src/services/Directory.ts"
import * as Options from "../src/services/Options.ts"
import { Oracle } from "../src/services/Oracle.ts"
import { directory, open, smallOptions, visibleImage } from "./support/opened.ts"
import {
  allKept,
  type Body,
  closedAfter,
  contentsAfter,
  crashOf,
  cuttingDisk,
  distinct,
  type Image,
  joined,
  nothingKept,
  numbered,
  pathsOf,
  reasonOf,
  refusalOf,
  simulate,
  stateOf,
  textOf,
  using,
  withFiles
} from "./support/scenario.ts"

const set = (key: string, value: string): Operation => ({ type: "set", key, value })

/** What a killed process leaves: the database is not closed. */
const killedAfter = (body: Body<unknown>, options: Options.OptionsInput = smallOptions): Image => {
  const device = SimDisk.make()
  return simulate(using(device, (opened) => Effect.map(body(opened), () => visibleImage(device)), options))
}

describe("the log", () => {
  it("a hole because a newer log was synced before an older one", () => {
    const written = numbered(30)
    const { cuts, device, state } = cuttingDisk()
    simulate(
      using(device, ({ database }) =>
        Effect.forEach(written, (key, index) => {
          const durability = index % 10 === 9 ? "disk" : "os"
          return Effect.map(database.set(key, "v".repeat(100), { durability }), () => {
            if (durability === "disk") state.promised = index + 1
          })
        })
      )
    )
    assert.isAbove(cuts.filter(({ path, promised }) => path.includes("log-") && promised > 0).length, 100)
    for (const { image, promised, where } of distinct(cuts).filter((_, index) => index % 5 === 0)) {
      const found = Object.keys(contentsAfter(image))
      assert.deepStrictEqual(found, written.slice(0, found.length), where)
      assert.isAtLeast(found.length, promised, where)
    }
  })

  it("an append of zeros or garbage accepted", () => {
    const image = killedAfter(({ database }) => Effect.andThen(database.set("a", "1"), database.set("b", "2")))
    const logs = pathsOf(image, "log")
    const log = logs.find((path) => image.get(path)!.length > 200)!
    const bytes = image.get(log)!
    const header = bytes.slice(0, 96)
    const frames = bytes.slice(96)
    const noise = Uint8Array.from({ length: 700 }, (_, index) => (index * 7919) >>> 3)
    const tails: Readonly<Record<string, Uint8Array>> = {
      zeros: new Uint8Array(4096),
      "a few zeros": new Uint8Array(3),
      garbage: noise,
      "0xff": new Uint8Array(1000).fill(0xff),
      "a header again": header,
      "its own frames again": frames,
      "half a frame of its own": frames.subarray(0, 50)
    }
    for (const [name, tail] of Object.entries(tails)) {
      const damaged = withFiles(image, { [log]: joined(bytes, tail) })
      assert.deepStrictEqual(contentsAfter(damaged), { a: "1", b: "2" }, name)
      const dropped = simulate(
        using(MemoryDisk.fromImage(damaged), ({ database }) => Effect.succeed(database.recovery.tailDropped))
      )
      assert.strictEqual(dropped?.bytes, tail.length, `${name} is reported`)
    }
  })

  it("a batch that is not atomic over a crash", () => {
    const { cuts, device } = cuttingDisk()
    const batches = [1, 2, 3].map((batch) => numbered(12).map((key) => set(`${key}-${batch}`, "x".repeat(90))))
    simulate(
      using(device, ({ database }) => Effect.forEach(batches, (batch) => database.write(batch), { discard: true }), {
        ...smallOptions,
        arenaBytes: 4096
      })
    )
    for (const { image, where } of distinct(cuts).filter((_, index) => index % 3 === 0)) {
      const count = Object.keys(contentsAfter(image, { ...smallOptions, arenaBytes: 4096 })).length
      assert.include([0, 12, 24, 36], count, where)
    }
  })

  it("replay that reorders set and remove", () => {
    const image = killedAfter(({ database }) =>
      Effect.gen(function* () {
        yield* database.write([set("a", "1"), { type: "remove", key: "a" }, set("b", "1")])
        yield* database.write([{ type: "remove", key: "b" }, set("b", "2"), set("c", "1")])
        yield* database.set("d", "1")
        yield* database.remove("d")
        yield* database.remove("e")
        yield* database.set("e", "1")
        yield* database.remove("c")
      })
    )
    assert.deepStrictEqual(contentsAfter(image), { b: "2", e: "1" })
  })

  it("empty values lost on replay", () => {
    const image = killedAfter(({ database }) => Effect.andThen(database.set("a", ""), database.set("b", "x")))
    assert.deepStrictEqual(contentsAfter(image), { a: "", b: "x" })
    const found = simulate(using(MemoryDisk.fromImage(image), ({ database }) => database.get("a")))
    assert.deepStrictEqual(found, new Uint8Array(0))
    const flushed = closedAfter(({ database, maintenance }) => Effect.andThen(database.set("a", ""), maintenance.flush))
    assert.deepStrictEqual(contentsAfter(flushed), { a: "" })
  })

  it("an aborted transaction's changes persisted at close", () => {
    const image = closedAfter(({ database }) =>
      Effect.gen(function* () {
        yield* database.set("kept", "1")
        const open = yield* database.begin()
        yield* open.set("open at close", "1")
        const discarded = yield* database.begin()
        yield* discarded.set("discarded", "1")
        yield* discarded.discard
        const failed = database.transaction((transaction) =>
          Effect.andThen(transaction.set("failed", "1"), Effect.fail("no" as const))
        )
        assert.strictEqual((yield* Effect.exit(failed))._tag, "Failure")
      })
    )
    assert.deepStrictEqual(contentsAfter(image), { kept: "1" })
  })
})

describe("the manifest", () => {
  for (const syncModel of ["dropped", "reverted", "written"] as const) {
    it(`files deleted after a failed manifest sync; edit still visible after restart (${syncModel})`, () => {
      const expected = Object.fromEntries(numbered(30).map((key) => [key, "v".repeat(60)]))
      const device = SimDisk.make()
      const failedAt = simulate(
        using(device, ({ database, maintenance }) =>
          Effect.gen(function* () {
            for (const key of Object.keys(expected)) yield* database.set(key, expected[key]!)
            yield* maintenance.flush
            yield* database.set("key000", "again")
            device.addFault({
              code: "EIO",
              syncModel,
              match: (operation, path) => operation === "sync" && path.includes("manifest-")
            })
            const reason = yield* reasonOf(maintenance.flush)
            assert.strictEqual(reason._tag, "Poisoned")
            assert.deepStrictEqual(yield* stateOf(database), { ...expected, key000: "again" }, "reads go on")
            return device.log.findLastIndex(({ code }) => code === "EIO")
          })
        )
      )
      assert.isAbove(failedAt, 0)
      const removed = device.log.slice(failedAt).filter(({ operation }) => operation === "remove")
      assert.deepStrictEqual(removed, [])
      const wanted = { ...expected, key000: "again" }
      for (const outcome of [nothingKept, allKept])
        assert.deepStrictEqual(contentsAfter(crashOf(device, outcome)), wanted)
      // The next process sees the edit, which is not on disk, and removes what it finds needless; then the power fails.
      const after = simulate(
        using(device, ({ database }) =>
          Effect.map(stateOf(database), (state) => ({ state, image: crashOf(device, nothingKept) }))
        )
      )
      assert.deepStrictEqual(after.state, wanted)
      assert.deepStrictEqual(contentsAfter(after.image), wanted)
    })
  }

  it("missing directory sync", () => {
    const body: Body<void> = ({ database, maintenance }) =>
      Effect.gen(function* () {
        for (const key of numbered(30)) yield* database.set(key, "v".repeat(60))
        yield* maintenance.flush
      })
    const imageOf = (device: SimDisk.SimDisk) =>
      simulate(
        using(device, (opened) => Effect.map(body(opened), () => crashOf(device, { ...allKept, names: "none" })))
      )
    assert.deepStrictEqual(Object.keys(contentsAfter(imageOf(SimDisk.make()))), numbered(30))
    const without = imageOf(SimDisk.make({ ignoresSync: (operation) => operation === "syncDirectory" }))
    assert.deepStrictEqual([...without.keys()], [], "without the syncs of directories this test would fail")
  })

  it("a torn manifest record makes the store unopenable", () => {
    const { cuts, device, state } = cuttingDisk()
    state.on = false
    simulate(
      using(
        device,
        ({ database, maintenance }) =>
          Effect.gen(function* () {
            for (const key of numbered(8)) yield* database.set(key, "v")
            const before = visibleImage(device)
            const [manifest] = pathsOf(before, "manifest").slice(-1)
            state.on = true
            yield* maintenance.flush
            state.on = false
            const edits = cuts.filter(({ path }) => path === manifest && before.get(path)!.length > 0)
            assert.isNotEmpty(edits)
            const whole = visibleImage(device).get(manifest!)!
            const published = before.get(manifest!)!.length
            assert.isAbove(whole.length, published)
            // The table is written and named nowhere but in the record; every length of that is a crash.
            const files = edits.find(({ where }) => where.includes("data all") && where.includes("names all"))!.image
            for (let length = published; length <= whole.length; length++) {
              const torn = withFiles(files, { [manifest!]: whole.slice(0, length) })
              assert.deepStrictEqual(Object.keys(contentsAfter(torn)), numbered(8), `${length} bytes`)
            }
          }),
        { ...smallOptions, manifestBytesMax: 1024 * 1024 }
      )
    )
  })

  it("an empty CURRENT file", () => {
    const { cuts, device } = cuttingDisk()
    simulate(using(device, ({ database }) => database.set("a", "1")))
    simulate(using(device, ({ database }) => database.set("b", "2")))
    const marked = cuts.filter(({ path }) => path.includes("current-"))
    const empty = marked.filter(({ image }) => pathsOf(image, "current").some((path) => image.get(path)!.length === 0))
    assert.isAbove(empty.length, 3)
    for (const { image } of empty) assert.doesNotThrow(() => contentsAfter(image))
    // The only marker of a database that holds data: nothing says which files are live.
    const image = visibleImage(device)
    const [marker] = pathsOf(image, "current")
    const without = withFiles(image, { [marker!]: new Uint8Array(0) })
    const { disk, image: left, layer } = MemoryDisk.fromImage(without)
    assert.isDefined(disk)
    const reason = simulate(reasonOf(using({ layer }, ({ database }) => stateOf(database))))
    assert.strictEqual(reason._tag, "Corruption")
    assert.include(reason.message, "current-")
    assert.deepStrictEqual(left(), new Map(without), "nothing was touched")
  })

  it("power loss while the database is being created", () => {
    const { cuts, device } = cuttingDisk()
    simulate(using(device, () => Effect.void))
    assert.isAbove(cuts.length, 200)
    for (const { image, where } of distinct(cuts)) {
      const reopened = MemoryDisk.fromImage(image)
      const state = simulate(
        using(reopened, ({ database }) => Effect.andThen(database.set("a", "1"), stateOf(database)))
      )
      assert.deepStrictEqual(state, { a: "1" }, where)
      assert.deepStrictEqual(contentsAfter(reopened.image()), { a: "1" }, where)
    }
  })

  it("foreign files (`.DS_Store`, `._0`) in the directory", () => {
    const foreign = [
      ".DS_Store",
      "._0",
      "._log-0000000000000001.wal",
      "log-1.wal",
      "notes.txt",
      "table-0000000000000001.sst.bak",
      "LOG-0000000000000001.WAL"
    ]
    const bytes = new TextEncoder().encode("not yours")
    const image = closedAfter(({ database }) => database.set("a", "1"))
    const beside = withFiles(image, Object.fromEntries(foreign.map((name) => [`${directory}/${name}`, bytes])))
    const disk = MemoryDisk.fromImage(beside)
    const write: Body<void> = ({ database, maintenance }) => Effect.andThen(database.set("b", "2"), maintenance.flush)
    simulate(using(disk, write))
    assert.deepStrictEqual(contentsAfter(disk.image()), { a: "1", b: "2" })
    for (const name of foreign) assert.deepStrictEqual(disk.image().get(`${directory}/${name}`), bytes, name)
    // Before there is a database: what file managers leave does not keep one from being created.
    const empty = MemoryDisk.fromImage(new Map([".DS_Store", "._0"].map((name) => [`${directory}/${name}`, bytes])))
    simulate(using(empty, write))
    assert.deepStrictEqual(contentsAfter(empty.image()), { b: "2" })
  })
})

describe("tables", () => {
  it("a zero-byte table referenced", () => {
    const { cuts, device } = cuttingDisk()
    const fill: Body<void> = ({ database, maintenance }) =>
      Effect.andThen(
        Effect.forEach(numbered(20), (key) => database.set(key, "v".repeat(50)), { discard: true }),
        maintenance.flush
      )
    simulate(using(device, fill))
    const empty = cuts.filter(({ image }) => pathsOf(image, "table").some((path) => image.get(path)!.length === 0))
    assert.isAbove(empty.length, 0)
    for (const { image, where } of empty) {
      const found = Object.keys(contentsAfter(image))
      assert.deepStrictEqual(found, numbered(found.length), where)
    }
    const image = visibleImage(device)
    for (const table of pathsOf(image, "table")) {
      for (const damaged of [new Uint8Array(0), undefined]) {
        const reason = refusalOf(withFiles(image, { [table]: damaged }))
        assert.strictEqual(reason?._tag, "Corruption")
        assert.include(reason?.message, table)
      }
    }
  })

  it("tombstones dropped at flush so removed keys return", () => {
    const image = closedAfter(({ database, maintenance }) =>
      Effect.gen(function* () {
        for (const key of ["a", "b", "c"]) yield* database.set(key, "1")
        yield* maintenance.flush
        const snapshot = yield* database.snapshot
        yield* database.remove("a")
        yield* database.remove("c")
        yield* database.remove("never there")
        yield* maintenance.flush
        assert.deepStrictEqual(yield* stateOf(database), { b: "1" })
        assert.strictEqual(textOf(yield* snapshot.get("a")), "1", "the snapshot has it still")
        yield* database.set("c", "2")
        yield* maintenance.flush
        yield* database.remove("c")
        yield* maintenance.flush
      })
    )
    assert.deepStrictEqual(contentsAfter(image), { b: "1" })
  })

  it("a flush drops a version that a snapshot or a transaction still reads", () => {
    simulate(
      using(SimDisk.make(), ({ database, maintenance }) =>
        Effect.gen(function* () {
          const readers = []
          for (let version = 1; version <= 4; version++) {
            yield* database.set("a", `${version}`)
            yield* database.set("b", `${version}`)
            if (version === 3) yield* database.remove("b")
            readers.push({ version, snapshot: yield* database.snapshot, transaction: yield* database.begin() })
          }
          yield* maintenance.flush
          for (const { snapshot, transaction, version } of readers) {
            for (const reader of [snapshot, transaction]) {
              assert.strictEqual(textOf(yield* reader.get("a")), `${version}`)
              assert.strictEqual(textOf(yield* reader.get("b")), version === 3 ? undefined : `${version}`)
              assert.strictEqual(yield* reader.count(), version === 3 ? 1 : 2)
            }
          }
        })
      )
    )
  })

  it("the last key of a block cannot be removed", () => {
    const keys = numbered(30)
    for (const removed of keys) {
      const image = closedAfter(
        ({ database, maintenance }) =>
          Effect.gen(function* () {
            yield* database.write(keys.map((key) => set(key, "v".repeat(20))))
            yield* maintenance.flush
            yield* database.remove(removed)
            assert.isUndefined(yield* database.get(removed))
            yield* maintenance.flush
            assert.isUndefined(yield* database.get(removed))
            assert.isFalse(yield* database.has(removed))
          }),
        { ...smallOptions, arenaBytes: 8192, blockBytes: 64 }
      )
      assert.deepStrictEqual(
        Object.keys(contentsAfter(image)),
        keys.filter((key) => key !== removed)
      )
    }
  })

  it("an exclusive bound that forgets duplicates", () => {
    simulate(
      using(SimDisk.make(), ({ database, maintenance }) =>
        Effect.gen(function* () {
          const keys = ["a", "b", "b\u0000", "c"]
          for (let version = 1; version <= 4; version++) {
            for (const key of keys) yield* database.set(key, `${version}`)
            // A moment for each version, so that no flush may drop it.
            yield* database.snapshot
            if (version < 4) yield* maintenance.flush
          }
          const scan = (range: Parameters<typeof database.scan>[0]) =>
            Effect.map(Stream.runCollect(database.scan(range)), (entries) =>
              Array.from(entries, ({ key, value }) => `${textOf(key)}=${textOf(value)}`)
            )
          assert.deepStrictEqual(yield* scan({ from: "b", fromExclusive: true }), ["b\u0000=4", "c=4"])
          assert.deepStrictEqual(yield* scan({ to: "b" }), ["a=4"])
          assert.deepStrictEqual(yield* scan({ to: "b", toInclusive: true }), ["a=4", "b=4"])
          assert.deepStrictEqual(yield* scan({ from: "b", to: "c", fromExclusive: true }), ["b\u0000=4"])
          assert.deepStrictEqual(yield* scan({ from: "b", fromExclusive: true, reverse: true }), ["c=4", "b\u0000=4"])
          assert.deepStrictEqual(yield* scan({ to: "b", reverse: true }), ["a=4"])
          assert.deepStrictEqual(yield* scan({ from: "b", to: "b", fromExclusive: true, toInclusive: true }), [])
          assert.strictEqual(yield* database.count({ from: "a", fromExclusive: true, to: "c" }), 2)
        })
      )
    )
  })
})

describe("transactions", () => {
  const layers = (conflictBytesMax: number) =>
    LsmDatabase.layerNoDeps.pipe(
      Layer.provide([FileWal.layer, ArenaMemtable.layer]),
      Layer.provideMerge(LocalOracle.layer),
      Layer.provide([FileSsTable.layer, FileValueLog.layer, InlineJobs.layer]),
      Layer.provide(SieveBlockCache.layer),
      Layer.provide(FileManifest.layer),
      Layer.provide(Layer.succeed(Directory, { path: directory })),
      Layer.provide(Layer.succeed(Options.Options, { ...Options.defaults, arenaBytes: 1024 * 1024, conflictBytesMax })),
      Layer.provide([MemoryDisk.layer, NoEncryption.layer]),
      Layer.fresh
    )

  it.effect("conflict tracking that leaks memory when no transaction is open", () =>
    Effect.gen(function* () {
      const [database, oracle] = [yield* Database, yield* Oracle]
      const write = Effect.forEach(numbered(500), (key) => database.set(key, "v", { durability: "os" }), {
        discard: true
      })
      const nothing = oracle.stats().conflictBytes
      yield* write
      assert.strictEqual(oracle.stats().conflictBytes, nothing, "nobody could conflict")
      const scope = yield* Scope.make()
      const transaction = yield* Scope.provide(database.begin(), scope)
      yield* transaction.get("key000")
      yield* write
      assert.isAbove(oracle.stats().conflictBytes, nothing)
      yield* transaction.set("key000", "x")
      const error = yield* Effect.flip(transaction.commit)
      assert.instanceOf(error, DatabaseError)
      assert.strictEqual(error.reason._tag, "Conflict")
      yield* Scope.close(scope, Exit.void)
      yield* write
      assert.deepStrictEqual(oracle.stats(), { ...oracle.stats(), conflictBytes: nothing, moments: 0 })
      yield* database.transaction((tx) => Effect.andThen(tx.get("key001"), tx.set("key001", "y")))
    }).pipe(Effect.provide(layers(64 * 1024)))
  )

  it("a commit that the disk had no room for conflicts with those after it for ever", () => {
    const device = SimDisk.make()
    simulate(
      using(device, ({ database }) =>
        Effect.gen(function* () {
          yield* database.set("n", "1")
          const increment = database.transaction(
            (tx) => Effect.flatMap(tx.get("n"), (value) => tx.set("n", `${Number(textOf(value)) + 1}`)),
            { durability: "os" }
          )
          device.addFault({
            code: "ENOSPC",
            match: (operation, path) => operation === "append" && path.includes("log-")
          })
          assert.strictEqual((yield* reasonOf(increment))._tag, "DiskFull")
          yield* increment
          assert.strictEqual(textOf(yield* database.get("n")), "2")
        })
      )
    )
  })
})

describe("opening", () => {
  it("the directory's own name is durable after an unfinished creation", () => {
    // The first process dies when its marker is there and its parent is not synced yet.
    const device = SimDisk.make()
    device.addFault({
      code: "EIO",
      match: (operation, path) => operation === "closeAppend" && path.includes("current-")
    })
    const reason = simulate(reasonOf(Effect.scoped(open(device.layer, smallOptions))))
    assert.strictEqual(reason._tag, "Poisoned")
    simulate(using(device, ({ database }) => database.set("a", "1")))
    assert.deepStrictEqual(contentsAfter(crashOf(device, nothingKept)), { a: "1" })
  })
})
