import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Descriptor } from "../../src/layers/NodeDescriptor.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import { codeOf, diskSuite, readFile, writeFile } from "../suites/diskSuite.ts"

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "strata-disk-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const under = (options: NodeDisk.NodeDiskOptions) =>
  Effect.map(temporaryDirectory, (directory) => ({ disk: NodeDisk.make(options), directory }))

diskSuite("NodeDisk", under({}))
diskSuite("NodeDisk, asynchronous reads", under({ synchronousReads: false }))

describe("NodeDisk", () => {
  it.live("has synchronous reads by default, and none when told so", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* writeFile(NodeDisk.make(), path.join(directory, "a"), "a")
      for (const synchronousReads of [true, false]) {
        const file = yield* NodeDisk.make({ synchronousReads }).open(path.join(directory, "a"))
        assert.strictEqual(file.readUnsafe !== undefined, synchronousReads)
        yield* file.close
      }
    })
  )

  it.live("follows no symbolic link, waits for no pipe, and lists both as other", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const disk = NodeDisk.make()
      yield* writeFile(disk, path.join(directory, "target"), "secret")
      fs.symlinkSync("target", path.join(directory, "link"))
      fs.symlinkSync("nowhere", path.join(directory, "dangling"))
      assert.strictEqual(yield* codeOf(disk.open(path.join(directory, "link"))), "ELOOP")
      assert.strictEqual(yield* codeOf(disk.create(path.join(directory, "dangling"))), "EEXIST")
      assert.isFalse(fs.existsSync(path.join(directory, "nowhere")))
      const kinds = (yield* disk.list(directory)).map((entry) => `${entry.name} ${entry.kind}`)
      assert.deepStrictEqual(kinds, ["dangling other", "link other", "target file"])
    })
  )

  it.live("makes what only the owner may read", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const disk = NodeDisk.make()
      yield* disk.makeDirectory(path.join(directory, "d"))
      yield* writeFile(disk, path.join(directory, "f"), "f")
      assert.strictEqual(fs.statSync(path.join(directory, "d")).mode & 0o777, 0o700)
      assert.strictEqual(fs.statSync(path.join(directory, "f")).mode & 0o777, 0o600)
    })
  )

  it.live("a path with a NUL is EINVAL, not a defect", () =>
    Effect.gen(function* () {
      const disk = NodeDisk.make()
      assert.strictEqual(yield* codeOf(disk.open("a\0b")), "EINVAL")
      assert.strictEqual(yield* codeOf(disk.create("a\0b")), "EINVAL")
      assert.strictEqual(yield* codeOf(disk.list("a\0b")), "EINVAL")
      assert.strictEqual(yield* codeOf(Effect.scoped(disk.lock("a\0b"))), "EINVAL")
    })
  )

  it.live("a hard link has the same inode, and its target stays readable", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const disk = NodeDisk.make()
      yield* writeFile(disk, path.join(directory, "a"), "bytes")
      yield* disk.linkNew(path.join(directory, "a"), path.join(directory, "b"))
      assert.strictEqual(fs.statSync(path.join(directory, "b")).ino, fs.statSync(path.join(directory, "a")).ino)
      assert.strictEqual(yield* readFile(disk, path.join(directory, "b")), "bytes")
    })
  )

  it.live("links a file to another file system by a copy, and never over a name", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      if (!fs.existsSync("/dev/shm") || fs.statSync("/dev/shm").dev === fs.statSync(directory).dev) return
      const disk = NodeDisk.make()
      const copy = path.join("/dev/shm", path.basename(directory))
      yield* Effect.addFinalizer(() => Effect.sync(() => fs.rmSync(copy, { force: true })))
      yield* writeFile(disk, path.join(directory, "a"), "bytes")
      yield* disk.linkNew(path.join(directory, "a"), copy)
      assert.strictEqual(yield* readFile(disk, copy), "bytes")
      yield* writeFile(disk, path.join(directory, "b"), "other")
      assert.strictEqual(yield* codeOf(disk.linkNew(path.join(directory, "b"), copy)), "EEXIST")
      assert.strictEqual(yield* readFile(disk, copy), "bytes")
    })
  )

  it.live("lists a directory of many files in either way, and no name that is gone", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const names = Array.from({ length: 250 }, (_, index) => `file-${String(index).padStart(3, "0")}`)
      for (const [index, name] of names.entries()) fs.writeFileSync(path.join(directory, name), "x".repeat(index))
      const expected = names.map((name, index) => ({ name, kind: "file" as const, bytes: index }))
      for (const synchronousReads of [true, false]) {
        assert.deepStrictEqual(yield* NodeDisk.make({ synchronousReads }).list(directory), expected)
      }
      // It is removed after it was read from the directory, or before: it is not listed in either case.
      const listing = yield* Effect.forkChild(NodeDisk.make().list(directory), { startImmediately: true })
      const unlink = Effect.sync(() => fs.unlinkSync(path.join(directory, names.at(-1)!)))
      const removing = yield* Effect.forkChild(Effect.andThen(Effect.yieldNow, unlink))
      yield* Fiber.join(removing)
      assert.deepStrictEqual(yield* Fiber.join(listing), expected.slice(0, -1))
    })
  )

  it.live("a file cut short behind our back is ESHORT, not zeros", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = path.join(directory, "a")
      for (const synchronousReads of [true, false]) {
        fs.writeFileSync(file, "0123456789")
        const read = yield* NodeDisk.make({ synchronousReads }).open(file)
        fs.truncateSync(file, 5)
        assert.strictEqual(yield* codeOf(read.read(0, 10)), "ESHORT")
        yield* read.close
      }
    })
  )

  it.live("a descriptor is closed only when no call is using it", () =>
    Effect.gen(function* () {
      const file = path.join(yield* temporaryDirectory, "a")
      const descriptor = new Descriptor(file, fs.openSync(file, "w"))
      const latch = yield* Latch.make()
      const using = yield* Effect.forkChild(descriptor.using("read", latch.await), { startImmediately: true })
      const closing = yield* Effect.forkChild(descriptor.close, { startImmediately: true })
      assert.strictEqual(yield* codeOf(descriptor.using("read", Effect.void)), "EBADF")
      assert.isTrue(fs.fstatSync(descriptor.fd).isFile())
      yield* latch.open
      yield* Fiber.join(using)
      yield* Fiber.join(closing)
      assert.throws(() => fs.fstatSync(descriptor.fd), /EBADF/)
    })
  )
})
