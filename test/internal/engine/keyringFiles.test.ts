// Keyrings on a disk that fails, forgets, or changes under the hand.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { keyringFileName } from "../../../src/internal/format/fileName.ts"
import { findKeyring, removeOlderKeyrings, writeKeyring } from "../../../src/internal/engine/keyringFiles.ts"
import * as MemoryDisk from "../../../src/layers/MemoryDisk.ts"
import { DiskError, type DiskService } from "../../../src/services/Disk.ts"
import { reasonOf } from "../../support/scenario.ts"

const directory = "/db"
const pathOf = (number: number): string => `${directory}/${keyringFileName(number)}`
const ring = Uint8Array.of(1, 2, 3)

const diskWith = (numbers: ReadonlyArray<number>, given: (disk: DiskService) => Partial<DiskService>) => {
  const { disk } = MemoryDisk.fromImage(new Map(numbers.map((number) => [pathOf(number), ring])))
  return { ...disk, ...given(disk) }
}

const failing = (operation: string, code: string) => (file: string) =>
  Effect.fail(new DiskError({ operation, file, code }))

describe("keyring files", () => {
  it.effect("that cannot be opened now are not taken for torn; gone ones are Stale for a reader", () =>
    Effect.gen(function* () {
      const find = (code: string, readOnly: boolean) => {
        const disk = diskWith([1], () => ({ open: failing("open", code) }))
        return reasonOf(findKeyring({ disk, directory, readOnly }, [1]))
      }
      assert.deepInclude(yield* find("EMFILE", false), { _tag: "Io", file: pathOf(1) })
      assert.deepInclude(yield* find("EMFILE", true), { _tag: "Io", file: pathOf(1) })
      assert.deepInclude(yield* find("ENOENT", true), { _tag: "Stale", file: pathOf(1) })
      assert.notStrictEqual((yield* find("ENOENT", false))._tag, "Stale")
    })
  )

  it.effect("that do not hold what was written a moment ago are Tampered, and do not stay", () =>
    Effect.gen(function* () {
      const disk = diskWith([9], (disk) => ({
        open: (file) =>
          Effect.map(disk.open(file), (open) => ({ ...open, read: () => Effect.succeed(new Uint8Array(3)) }))
      }))
      const reason = yield* reasonOf(writeKeyring({ disk, directory, readOnly: false }, 1, ring))
      assert.deepInclude(reason, { _tag: "Tampered", file: pathOf(1) })
      assert.deepStrictEqual(
        (yield* disk.list(directory)).map(({ name }) => name),
        [keyringFileName(9)]
      )
    })
  )

  it.effect("that somebody else has removed are gone; those that cannot be removed are told", () =>
    Effect.gen(function* () {
      const remove = (code: string) => {
        const disk = diskWith([1, 2, 3], () => ({ remove: failing("remove", code) }))
        return removeOlderKeyrings({ disk, directory, readOnly: false }, 3)
      }
      yield* remove("ENOENT")
      assert.deepInclude(yield* reasonOf(remove("EIO")), { _tag: "Io", code: "EIO" })
    })
  )
})
