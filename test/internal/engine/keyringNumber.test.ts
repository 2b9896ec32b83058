import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { checkKeyringNumber } from "../../../src/internal/engine/keyringNumber.ts"
import type { FileParts } from "../../../src/internal/engine/ownFiles.ts"
import { keyringFileName } from "../../../src/internal/format/fileName.ts"
import * as MemoryDisk from "../../../src/layers/MemoryDisk.ts"
import type { FileEncryption } from "../../../src/services/Encryption.ts"
import { tagOf } from "../../support/fileSession.ts"

/** What comes of it where the keyring of this number was attached, and these are there now. */
const checked = (
  found: number,
  recorded: number,
  now: { readonly keyrings: ReadonlyArray<number>; readonly readOnly?: boolean }
): Effect.Effect<string> => {
  const image = new Map(now.keyrings.map((number) => [`/db/${keyringFileName(number)}`, new Uint8Array(1)]))
  const keys = { facts: () => ({ ringNumber: found }) }
  const parts: FileParts = {
    disk: MemoryDisk.fromImage(image).disk,
    directory: "/db",
    readOnly: now.readOnly ?? false,
    encryption: { keys } as unknown as FileEncryption
  }
  return tagOf(checkKeyringNumber(parts, recorded))
}

describe("the keyring that was found", () => {
  it.effect("is the recorded one, or a later one that the manifest was not told of", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* checked(7, 7, { keyrings: [7] }), "success")
      assert.strictEqual(yield* checked(9, 7, { keyrings: [9, 7] }), "success")
      assert.strictEqual(yield* checked(7, 0, { keyrings: [7] }), "success")
    })
  )

  it.effect("is Tampered with if it was replaced before; for a reader it may be replaced meanwhile", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* checked(5, 7, { keyrings: [5] }), "Tampered")
      assert.strictEqual(yield* checked(5, 7, { keyrings: [7, 5] }), "Tampered")
      assert.strictEqual(yield* checked(5, 7, { keyrings: [5], readOnly: true }), "Tampered")
      assert.strictEqual(yield* checked(5, 7, { keyrings: [7], readOnly: true }), "Stale")
      assert.strictEqual(yield* checked(5, 7, { keyrings: [9, 5], readOnly: true }), "Stale")
    })
  )
})
