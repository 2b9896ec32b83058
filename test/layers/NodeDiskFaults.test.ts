// What the machine's disk does only when something is wrong: the calls of `node:fs` are made to fail.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"

const inDirectory = <A, E>(body: (directory: string) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "strata-node-faults-"))),
    body,
    (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
  )

describe("NodeDisk, when the system fails", () => {
  it.live("a file whose sync failed is never synced again, and takes no more bytes", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const disk = NodeDisk.make()
        const file = yield* disk.create(join(directory, "a"))
        yield* file.append([new Uint8Array(10)])
        const { fdatasync } = fs
        let calls = 0
        yield* Effect.acquireUseRelease(
          Effect.sync(() => {
            fs.fdatasync = ((_: number, done: (error: Error | null) => void) => {
              calls += 1
              done(calls === 1 ? Object.assign(new Error("EIO"), { code: "EIO" }) : null)
            }) as typeof fs.fdatasync
            syncBuiltinESMExports()
          }),
          () =>
            Effect.gen(function* () {
              for (const call of [file.sync, file.sync, file.append([new Uint8Array(1)])]) {
                const error = yield* Effect.flip(call)
                assert.strictEqual(error.code, "EIO")
              }
            }),
          () =>
            Effect.sync(() => {
              fs.fdatasync = fdatasync
              syncBuiltinESMExports()
            })
        )
        assert.strictEqual(calls, 1, "the kernel reports a lost page once, and then says that all is well")
        yield* file.close
      })
    )
  )

  it.live("a directory whose sync failed is told of, unless there was nothing to flush", () =>
    inDirectory((directory) => {
      const { fsync } = fs
      const failing = (code: string) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            fs.fsync = ((_: number, done: (error: Error) => void) =>
              done(Object.assign(new Error(code), { code }))) as typeof fs.fsync
            syncBuiltinESMExports()
          }),
          () => Effect.exit(NodeDisk.make().syncDirectory(directory)),
          () =>
            Effect.sync(() => {
              fs.fsync = fsync
              syncBuiltinESMExports()
            })
        )
      return Effect.gen(function* () {
        for (const code of ["EIO", "ENOSPC"]) assert.isTrue(Exit.isFailure(yield* failing(code)), code)
        for (const code of ["EINVAL", "EBADF"]) assert.isTrue(Exit.isSuccess(yield* failing(code)), code)
      })
    })
  )

  it.live("who finds its own name gone from the directory has not got the lock", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        // As a winner does that saw the name before anybody listened there.
        let goesOn = true
        const removeNames = () => {
          for (const name of fs.readdirSync(directory))
            if (name.startsWith("lock-")) fs.unlinkSync(join(directory, name))
          if (goesOn) setImmediate(removeNames)
        }
        removeNames()
        const exit = yield* Effect.exit(Effect.scoped(NodeDisk.make().lock(directory)))
        goesOn = false
        assert.isTrue(Exit.isFailure(exit), "it holds a lock that nobody sees")
        yield* Effect.sleep("5 millis")
        yield* Effect.scoped(NodeDisk.make().lock(directory))
      })
    )
  )
})
