import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readWhole } from "../../../src/internal/engine/ownFiles.ts"
import * as MemoryDisk from "../../../src/layers/MemoryDisk.ts"
import { DiskError } from "../../../src/services/Disk.ts"
import { reasonOf } from "../../support/scenario.ts"

describe("a file of ours that was listed", () => {
  it.effect("and is gone is missed, or for a reader was removed by a later writer", () =>
    Effect.gen(function* () {
      const { disk } = MemoryDisk.make()
      const reading = (readOnly: boolean) => reasonOf(readWhole({ disk, directory: "/db", readOnly }, "current"))
      assert.deepInclude(yield* reading(false), { _tag: "Corruption", file: "/db/current" })
      assert.deepInclude(yield* reading(true), { _tag: "Stale", file: "/db/current" })
      const open = (file: string) => Effect.fail(new DiskError({ operation: "open", file, code: "EIO" }))
      const failing = readWhole({ disk: { ...disk, open }, directory: "/db", readOnly: true }, "current")
      assert.deepInclude(yield* reasonOf(failing), { _tag: "Io", file: "/db/current" })
    })
  )
})
