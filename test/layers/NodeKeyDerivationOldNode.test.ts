// A runtime without argon2, as Node was before 24.7.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { vi } from "vitest"
import { passphraseMaster, rotated } from "../support/encryption.ts"
import { tagOf } from "../support/fileSession.ts"
import { attach, begun } from "../support/keyChanges.ts"

vi.mock("node:crypto", async (original) => ({ ...(await original<object>()), argon2: undefined }))

describe("a runtime without argon2id", () => {
  it.live("makes and opens databases by scrypt, and is Unsupported for argon2id", () =>
    Effect.gen(function* () {
      const argon2id = passphraseMaster("one", "argon2id")
      const { allocate, disk, keys } = yield* begun(passphraseMaster("one"))
      const beginning = Effect.scoped(Effect.catchTag(begun(argon2id), "DiskError", Effect.die))
      assert.strictEqual(yield* tagOf(beginning), "Unsupported")
      assert.strictEqual(yield* tagOf(rotated(keys, argon2id, allocate)), "Unsupported")
      assert.strictEqual(yield* tagOf(Effect.scoped(attach(disk, argon2id))), "success")
    })
  )
})
