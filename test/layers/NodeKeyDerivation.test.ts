import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { PassphraseDerivation } from "../../src/internal/format/keyDerivation.ts"
import { withBytesOf } from "../../src/internal/format/cipher.ts"
import { derivePassphrase, hasArgon2 } from "../../src/layers/NodeKeyDerivation.ts"
import { hex, utf8 } from "../internal/format/support.ts"
import { argon2idVectors, scryptVectors } from "../support/cryptoVectors.ts"
import { reasonOf } from "../support/fileSession.ts"

const derived = (passphrase: string, derivation: PassphraseDerivation) =>
  Effect.map(derivePassphrase(passphrase, derivation), (key) => withBytesOf(key, hex))

describe("derivePassphrase", () => {
  for (const { output, passphrase, salt, ...cost } of scryptVectors) {
    it.live(`gives what RFC 7914 has for "${passphrase}"`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* derived(passphrase, { _tag: "Scrypt", ...cost, salt: utf8(salt) }), output)
      })
    )
  }

  for (const { output, passphrase, salt, ...cost } of argon2idVectors) {
    it.live(`gives what argon2id's reference has for "${passphrase}", "${salt}", ${cost.memoryKiB} KiB`, () =>
      Effect.gen(function* () {
        assert.isTrue(hasArgon2())
        assert.strictEqual(yield* derived(passphrase, { _tag: "Argon2id", ...cost, salt: utf8(salt) }), output)
      })
    )
  }

  it.live("takes blocks of any size within the limits", () =>
    Effect.gen(function* () {
      for (const [costLog2, blockSize, parallelism] of [
        [1, 1, 1],
        [1, 4096, 1],
        [10, 64, 64],
        [17, 8, 1]
      ] as const) {
        const salt = new Uint8Array(32)
        const key = yield* derived("x", { _tag: "Scrypt", costLog2, blockSize, parallelism, salt })
        assert.strictEqual(key.length, 64)
      }
    })
  )

  it.live("is Unsupported where the memory or the parameters are refused, and says no word of the passphrase", () =>
    Effect.gen(function* () {
      const salt = new Uint8Array(32)
      for (const derivation of [
        { _tag: "Scrypt", costLog2: 31, blockSize: 2 ** 26, parallelism: 1, salt },
        { _tag: "Argon2id", memoryKiB: 1, passes: 1, lanes: 1, salt }
      ] as const) {
        const reason = yield* reasonOf(derivePassphrase("the passphrase itself", derivation))
        assert.strictEqual(reason?._tag, "Unsupported")
        assert.notInclude(reason?.message ?? "", "itself")
      }
    })
  )
})
