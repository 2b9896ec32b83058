import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import { Disk } from "../../src/services/Disk.ts"
import { diskSuite, readFile, text, writeFile } from "../suites/diskSuite.ts"

diskSuite(
  "MemoryDisk",
  Effect.gen(function* () {
    const { disk } = MemoryDisk.make()
    yield* disk.makeDirectory("/db")
    return { disk, directory: "/db" }
  })
)

describe("MemoryDisk", () => {
  it("completes on the calling stack", () => {
    const content = Effect.runSync(
      Effect.gen(function* () {
        const disk = yield* Disk
        yield* disk.makeDirectory("db")
        yield* disk.lock("db")
        yield* writeFile(disk, "db/a", "at once")
        return yield* readFile(disk, "/db//./a")
      }).pipe(Effect.scoped, Effect.provide(MemoryDisk.layer))
    )
    assert.strictEqual(content, "at once")
  })

  it.effect("an image has every file, hard links under both names, and later writes do not reach it", () =>
    Effect.gen(function* () {
      const { disk, image } = MemoryDisk.make()
      yield* disk.makeDirectory("/db/sub")
      const file = yield* disk.create("/db/a")
      yield* file.append([text("one")])
      yield* disk.linkNew("/db/a", "/db/sub/b")
      const taken = image()
      yield* file.append([text("two")])
      assert.deepStrictEqual([...taken.keys()].sort(), ["/db/a", "/db/sub/b"])
      assert.deepStrictEqual(taken.get("/db/sub/b"), text("one"))
      assert.strictEqual(yield* readFile(disk, "/db/sub/b"), "onetwo")
    })
  )

  it.effect("a disk from an image holds its files and never writes to the image's arrays", () =>
    Effect.gen(function* () {
      const bytes = text("frozen")
      const { disk, image } = MemoryDisk.fromImage(new Map([["/db/a", bytes]]))
      assert.strictEqual(yield* readFile(disk, "/db/a"), "frozen")
      image().get("/db/a")!.fill(0)
      assert.strictEqual(yield* readFile(disk, "/db/a"), "frozen")
      assert.deepStrictEqual(bytes, text("frozen"))
    })
  )
})
