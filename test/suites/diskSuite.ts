// The contract of `Disk`, one test for each numbered invariant in the contract's words. Every layer passes all of them.
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, type Scope } from "effect"
import { DirectoryLocked, DiskError, type DiskService } from "../../src/services/Disk.ts"

export interface DiskUnderTest {
  readonly disk: DiskService
  /** An existing, empty directory. */
  readonly directory: string
  /** What a power cut leaves, where the layer can tell: all that was not made durable is lost. */
  readonly afterPowerCut?: () => DiskService
}

export const text = (value: string) => new TextEncoder().encode(value)

export const codeOf = <A>(effect: Effect.Effect<A, DiskError | DirectoryLocked>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return "success"
    const error = Cause.squash(exit.cause)
    assert.instanceOf(error, DiskError, `not a DiskError: ${Cause.pretty(exit.cause)}`)
    return error.code
  })

/** Writes a whole file and closes it. */
export const writeFile = Effect.fnUntraced(function* (disk: DiskService, path: string, content: string) {
  const file = yield* disk.create(path)
  yield* file.append([text(content)])
  yield* file.sync
  yield* file.close
})

export const readFile = Effect.fnUntraced(function* (disk: DiskService, path: string) {
  const file = yield* disk.open(path)
  const bytes = yield* file.read(0, file.size)
  yield* file.close
  return new TextDecoder().decode(bytes)
})

const names = (disk: DiskService, directory: string) =>
  Effect.map(disk.list(directory), (entries) => entries.map((entry) => entry.name))

type Use = (name: string, body: (under: DiskUnderTest) => Effect.Effect<void, unknown, Scope.Scope>) => void

export const diskSuite = (layerName: string, make: Effect.Effect<DiskUnderTest, unknown, Scope.Scope>): void => {
  const use: Use = (name, body) => it.live(name, () => Effect.flatMap(make, body))
  describe(`Disk (${layerName})`, () => {
    invariants(use)
    failures(use)
  })
  describe(`AppendFile (${layerName})`, () => appending(use))
  describe(`ReadFile (${layerName})`, () => reading(use))
}

const invariants = (use: Use): void => {
  use("1. create fails with EEXIST if the name exists, and what it makes is empty", ({ directory, disk }) =>
    Effect.gen(function* () {
      const path = disk.join(directory, "a")
      const file = yield* disk.create(path)
      assert.strictEqual(file.size(), 0)
      assert.strictEqual(yield* codeOf(disk.create(path)), "EEXIST")
      assert.deepStrictEqual(yield* disk.list(directory), [{ name: "a", kind: "file", bytes: 0 }])
      yield* file.append([text("kept")])
      yield* file.close
      assert.strictEqual(yield* codeOf(disk.create(path)), "EEXIST")
      assert.strictEqual(yield* readFile(disk, path), "kept")
    })
  )

  use("2. a created, linked or removed name survives a power cut after syncDirectory returned", (under) =>
    Effect.gen(function* () {
      const { directory, disk } = under
      yield* writeFile(disk, disk.join(directory, "removed"), "r")
      yield* disk.syncDirectory(directory)
      yield* writeFile(disk, disk.join(directory, "created"), "c")
      yield* disk.linkNew(disk.join(directory, "created"), disk.join(directory, "linked"))
      yield* disk.remove(disk.join(directory, "removed"))
      const unsynced = under.afterPowerCut?.()
      if (unsynced !== undefined) assert.deepStrictEqual(yield* names(unsynced, directory), ["removed"])
      yield* disk.syncDirectory(directory)
      const synced = under.afterPowerCut?.() ?? disk
      assert.deepStrictEqual(yield* names(synced, directory), ["created", "linked"])
      assert.strictEqual(yield* readFile(synced, disk.join(directory, "linked")), "c")
    })
  )

  use("3. linkNew gives a second name to the same bytes and fails with EEXIST if the target exists", (under) =>
    Effect.gen(function* () {
      const { directory, disk } = under
      const path = (name: string) => disk.join(directory, name)
      yield* writeFile(disk, path("a"), "first")
      yield* disk.linkNew(path("a"), path("b"))
      assert.strictEqual(yield* readFile(disk, path("b")), "first")
      yield* writeFile(disk, path("c"), "second")
      assert.strictEqual(yield* codeOf(disk.linkNew(path("a"), path("c"))), "EEXIST")
      assert.strictEqual(yield* readFile(disk, path("c")), "second")
      yield* disk.remove(path("a"))
      assert.strictEqual(yield* readFile(disk, path("b")), "first")
    })
  )

  use("4. removing a file that is open for reading leaves the open handle readable", ({ directory, disk }) =>
    Effect.gen(function* () {
      const path = disk.join(directory, "a")
      yield* writeFile(disk, path, "still here")
      const file = yield* disk.open(path)
      yield* disk.remove(path)
      assert.deepStrictEqual(yield* names(disk, directory), [])
      assert.deepStrictEqual(yield* file.read(6, 4), text("here"))
      yield* file.close
    })
  )

  use("5. every failure is a DiskError with the operation, the file and the errno's name", ({ directory, disk }) =>
    Effect.gen(function* () {
      const missing = disk.join(directory, "missing")
      const error = yield* Effect.flip(disk.open(missing))
      assert.instanceOf(error, DiskError)
      assert.deepStrictEqual([error.operation, error.file, error.code], ["open", missing, "ENOENT"])
      assert.strictEqual(error.message, `ENOENT: open ${missing}`)
    })
  )

  use("6. all operations are uninterruptible once they have begun", ({ directory, disk }) =>
    Effect.gen(function* () {
      const file = yield* disk.create(disk.join(directory, "a"))
      const chunks = [new Uint8Array(300_000).fill(7), new Uint8Array(300_000).fill(8)]
      const fiber = yield* Effect.forkChild(file.append(chunks), { startImmediately: true })
      yield* Effect.sync(() => fiber.interruptUnsafe())
      yield* Fiber.await(fiber)
      assert.strictEqual(file.size(), 600_000)
      yield* file.close
    })
  )

  use("6. bytes handed to append are not read after it completes", ({ directory, disk }) =>
    Effect.gen(function* () {
      const path = disk.join(directory, "a")
      const file = yield* disk.create(path)
      for (const length of [10, 100_000, 400_000]) {
        const chunk = new Uint8Array(length).fill(1)
        yield* file.append([chunk])
        chunk.fill(2)
      }
      yield* file.close
      const read = yield* disk.open(path)
      const bytes = yield* read.read(0, read.size)
      assert.strictEqual(bytes.length, 500_010)
      assert.isTrue(bytes.every((byte) => byte === 1))
      yield* read.close
    })
  )

  use("7. at most one holder has the lock of a directory, and a released lock is free at once", (under) =>
    Effect.gen(function* () {
      const { directory, disk } = under
      const tryLock = Effect.scoped(disk.lock(directory))
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* disk.lock(directory)
          const locked = yield* Effect.flip(tryLock)
          assert.instanceOf(locked, DirectoryLocked)
          assert.strictEqual(locked.directory, directory)
          assert.instanceOf(yield* Effect.flip(disk.probeLock(directory)), DirectoryLocked)
          assert.instanceOf(yield* Effect.flip(tryLock), DirectoryLocked)
        })
      )
      const before = yield* disk.list(directory)
      yield* disk.probeLock(directory)
      assert.deepStrictEqual(yield* disk.list(directory), before)
      yield* tryLock
      yield* tryLock
      assert.deepStrictEqual(yield* disk.list(directory), [])
    })
  )

  use("7. of locks taken at the same time one wins", ({ directory, disk }) =>
    Effect.gen(function* () {
      const results = yield* Effect.forEach([1, 2, 3, 4], () => Effect.exit(disk.lock(directory)), {
        concurrency: "unbounded"
      })
      assert.strictEqual(results.filter(Exit.isSuccess).length, 1)
    })
  )
}

const failures = (use: Use): void => {
  use("makeDirectory makes parents, does nothing twice, and refuses a file in the way", ({ directory, disk }) =>
    Effect.gen(function* () {
      const inner = disk.join(disk.join(directory, "x"), "y")
      yield* disk.makeDirectory(inner)
      yield* disk.makeDirectory(inner)
      assert.deepStrictEqual(yield* disk.list(disk.join(directory, "x")), [{ name: "y", kind: "directory", bytes: 0 }])
      yield* writeFile(disk, disk.join(directory, "f"), "f")
      assert.strictEqual(yield* codeOf(disk.makeDirectory(disk.join(directory, "f"))), "EEXIST")
      assert.strictEqual(yield* codeOf(disk.makeDirectory(disk.join(disk.join(directory, "f"), "g"))), "ENOTDIR")
    })
  )

  use("list sorts names, and fails with ENOENT or ENOTDIR", ({ directory, disk }) =>
    Effect.gen(function* () {
      for (const name of ["b", "a", "B", "aa"]) yield* writeFile(disk, disk.join(directory, name), name)
      assert.deepStrictEqual(yield* names(disk, directory), ["B", "a", "aa", "b"])
      assert.strictEqual((yield* disk.list(directory))[2]!.bytes, 2)
      assert.strictEqual(yield* codeOf(disk.list(disk.join(directory, "no"))), "ENOENT")
      assert.strictEqual(yield* codeOf(disk.list(disk.join(directory, "a"))), "ENOTDIR")
    })
  )

  use("a missing file, a missing directory and a directory in place of a file are told apart", (under) =>
    Effect.gen(function* () {
      const { directory, disk } = under
      const at = (name: string) => disk.join(directory, name)
      yield* disk.makeDirectory(at("d"))
      assert.strictEqual(yield* codeOf(disk.create(disk.join(at("no"), "f"))), "ENOENT")
      assert.strictEqual(yield* codeOf(disk.create(at("d"))), "EEXIST")
      assert.strictEqual(yield* codeOf(disk.open(at("d"))), "EISDIR")
      assert.strictEqual(yield* codeOf(disk.remove(at("no"))), "ENOENT")
      assert.strictEqual(yield* codeOf(disk.linkNew(at("no"), at("to"))), "ENOENT")
      assert.strictEqual(yield* codeOf(disk.syncDirectory(at("no"))), "ENOENT")
      assert.strictEqual(yield* codeOf(disk.freeBytes(at("no"))), "ENOENT")
      assert.strictEqual(yield* codeOf(Effect.scoped(disk.lock(at("no")))), "ENOENT")
      assert.isAbove(yield* disk.freeBytes(directory), 0)
    })
  )
}

const appending = (use: Use): void => {
  use("1. append writes all the bytes of all the chunks, in order", ({ directory, disk }) =>
    Effect.gen(function* () {
      const path = disk.join(directory, "a")
      const file = yield* disk.create(path)
      const written: Array<number> = []
      // Below and above each of NodeFile's three ways of writing, with empty chunks between.
      for (const lengths of [[], [0], [5], [3, 0, 4], [40_000, 40_000], [70_000], [200_000, 100_000], [300_000]]) {
        const chunks = lengths.map((length, index) =>
          Uint8Array.from({ length }, (_, at) => (written.length + index * 31 + at) % 251)
        )
        yield* file.append(chunks)
        for (const chunk of chunks) for (const byte of chunk) written.push(byte)
        assert.strictEqual(file.size(), written.length)
      }
      yield* file.sync
      yield* file.close
      const read = yield* disk.open(path)
      assert.strictEqual(read.size, written.length)
      assert.deepStrictEqual(yield* read.read(0, read.size), Uint8Array.from(written))
      yield* read.close
    })
  )

  use("2. after sync, the bytes appended before it survive a power cut, if the file's name does", (under) =>
    Effect.gen(function* () {
      const { directory, disk } = under
      const path = disk.join(directory, "a")
      const file = yield* disk.create(path)
      yield* disk.syncDirectory(directory)
      yield* file.append([text("durable")])
      const unsynced = under.afterPowerCut?.()
      if (unsynced !== undefined) assert.strictEqual(yield* readFile(unsynced, path), "")
      yield* file.sync
      yield* file.append([text(" and not")])
      assert.strictEqual(yield* readFile(disk, path), "durable and not")
      const cut = under.afterPowerCut?.()
      if (cut !== undefined) assert.strictEqual(yield* readFile(cut, path), "durable")
      yield* file.close
    })
  )

  use("close is idempotent, and a closed file takes no more", ({ directory, disk }) =>
    Effect.gen(function* () {
      const file = yield* disk.create(disk.join(directory, "a"))
      yield* file.close
      yield* file.close
      // Another file may get the descriptor's number: nothing may reach it.
      const other = yield* disk.create(disk.join(directory, "b"))
      assert.strictEqual(yield* codeOf(file.append([text("x")])), "EBADF")
      assert.strictEqual(yield* codeOf(file.append([new Uint8Array(300_000)])), "EBADF")
      assert.strictEqual(yield* codeOf(file.sync), "EBADF")
      yield* other.close
      assert.deepStrictEqual(
        (yield* disk.list(directory)).map((entry) => entry.bytes),
        [0, 0]
      )
    })
  )
}

const reading = (use: Use): void => {
  use("reads exactly length bytes at offset into a fresh array; fewer there is ESHORT", ({ directory, disk }) =>
    Effect.gen(function* () {
      const path = disk.join(directory, "a")
      yield* writeFile(disk, path, "0123456789")
      const file = yield* disk.open(path)
      const first = yield* file.read(2, 3)
      assert.deepStrictEqual(first, text("234"))
      assert.strictEqual(Object.getPrototypeOf(first), Uint8Array.prototype)
      first.fill(0)
      assert.deepStrictEqual(yield* file.read(2, 3), text("234"))
      assert.strictEqual((yield* file.read(10, 0)).length, 0)
      for (const [offset, length] of [
        [8, 3],
        [11, 0],
        [0, 2 ** 40]
      ] as const) {
        assert.strictEqual(yield* codeOf(file.read(offset, length)), "ESHORT")
      }
      for (const [offset, length] of [
        [-1, 2],
        [0.5, 1],
        [0, -1],
        [0, Number.NaN]
      ] as const) {
        assert.strictEqual(yield* codeOf(file.read(offset, length)), "EINVAL")
      }
      yield* file.close
      yield* file.close
      assert.strictEqual(yield* codeOf(file.read(0, 1)), "EBADF")
    })
  )

  use("synchronous reads give the same bytes and throw the same errors", ({ directory, disk }) =>
    Effect.gen(function* () {
      const path = disk.join(directory, "a")
      yield* writeFile(disk, path, "0123456789")
      const file = yield* disk.open(path)
      const readUnsafe = file.readUnsafe
      if (readUnsafe !== undefined) {
        assert.deepStrictEqual(file.readUnsafe!(2, 3), text("234"))
        const into = new Uint8Array(4)
        const given = file.readUnsafe!(2, 3, into)
        assert.strictEqual(given.buffer, into.buffer)
        assert.deepStrictEqual(given, text("234"))
        const fresh = file.readUnsafe!(0, 5, into)
        assert.notStrictEqual(fresh.buffer, into.buffer, "there is no room for it")
        assert.deepStrictEqual([fresh, given], [text("01234"), text("234")])
        const error = yield* Effect.flip(Effect.try({ try: () => file.readUnsafe!(8, 3), catch: (error) => error }))
        assert.instanceOf(error, DiskError)
        assert.deepInclude(error, { operation: "read", file: path, offset: 8, code: "ESHORT" })
      }
      yield* file.close
    })
  )

  use("a file is opened and closed on the calling stack, with the same errors", ({ directory, disk }) =>
    Effect.gen(function* () {
      const { openUnsafe } = disk
      const path = disk.join(directory, "a")
      yield* writeFile(disk, path, "0123456789")
      yield* disk.makeDirectory(disk.join(directory, "d"))
      const asynchronous = yield* disk.open(path)
      assert.strictEqual(asynchronous.readUnsafe === undefined, openUnsafe === undefined)
      assert.strictEqual(asynchronous.closeUnsafe === undefined, openUnsafe === undefined)
      yield* asynchronous.close
      if (openUnsafe === undefined) return
      const file = openUnsafe(path)
      assert.deepInclude(file, { path, size: 10 })
      assert.deepStrictEqual(file.readUnsafe!(2, 3), text("234"))
      assert.deepStrictEqual(yield* file.read(2, 3), text("234"))
      file.closeUnsafe!()
      file.closeUnsafe!()
      assert.strictEqual(yield* codeOf(file.read(0, 1)), "EBADF")
      const thrown = (open: string) => Effect.flip(Effect.try({ try: () => openUnsafe(open), catch: (error) => error }))
      for (const [name, code] of [
        ["d", "EISDIR"],
        ["no", "ENOENT"]
      ] as const) {
        const error = yield* thrown(disk.join(directory, name))
        assert.instanceOf(error, DiskError)
        assert.deepInclude(error, { operation: "open", file: disk.join(directory, name), code })
      }
    })
  )

  use("reads run at the same time, and a close waits for them", ({ directory, disk }) =>
    Effect.gen(function* () {
      const path = disk.join(directory, "a")
      yield* writeFile(disk, path, "0123456789")
      const file = yield* disk.open(path)
      const reads = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => index % 9),
        (offset) => Effect.forkChild(file.read(offset, 2), { startImmediately: true })
      )
      yield* file.close
      const other = yield* disk.create(disk.join(directory, "b"))
      for (const [index, fiber] of reads.entries()) {
        assert.deepStrictEqual(yield* Fiber.join(fiber), text("0123456789").slice(index % 9, (index % 9) + 2))
      }
      yield* other.close
    })
  )
}
