// The layer beside its contract's suite: kinds of master keys, changes of keys, what keyrings may look like, secrets.
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Logger, Redacted } from "effect"
import { inspect } from "node:util"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import * as AeadEncryption from "../../src/layers/AeadEncryption.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import { type DatabaseError, fail, Invalid } from "../../src/services/DatabaseError.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import { Encryption, type MasterKey } from "../../src/services/Encryption.ts"
import { encryptionSuite } from "../suites/encryptionSuite.ts"
import {
  cheapCosts,
  CountingCipher,
  passphraseMaster,
  providerMaster,
  rawMaster,
  rotated
} from "../support/encryption.ts"
import { reasonOf, tagOf } from "../support/fileSession.ts"
import { attach, attachTag, begun, directory, keep, opens, ringBytes, ringNames } from "../support/keyChanges.ts"

const durable = (sim: SimDisk.SimDisk): DiskService => {
  const strictest = outcomes.find(({ data, names }) => data === "none" && names === "none")!
  const { disk } = MemoryDisk.fromImage(sim.files.crash(strictest, new SeededRandom(1)))
  // An image has files only.
  Effect.runSync(disk.makeDirectory(directory))
  return disk
}

const simulated = (sim = SimDisk.make()) =>
  Effect.as(Effect.andThen(sim.disk.makeDirectory(directory), sim.disk.syncDirectory("/")), {
    disk: sim.disk,
    directory,
    afterPowerCut: () => durable(sim)
  })

const masters: ReadonlyArray<readonly [string, MasterKey, MasterKey]> = [
  ["a raw key", rawMaster(1), rawMaster(2)],
  ["a passphrase by scrypt", passphraseMaster("one"), passphraseMaster("two")],
  ["a passphrase by argon2id", passphraseMaster("three", "argon2id"), passphraseMaster("four", "argon2id")],
  ["a provider", providerMaster("one"), providerMaster("two")]
]

encryptionSuite(
  "NoEncryption",
  Effect.gen(function* () {
    return { ...(yield* simulated()), encryption: yield* Effect.provide(Encryption, NoEncryption.layer) }
  })
)

for (const [name, master, wrong] of masters) {
  encryptionSuite(
    `AeadEncryption with ${name}`,
    Effect.gen(function* () {
      const cipher = new CountingCipher()
      const layerOf = (master: MasterKey) => AeadEncryption.layerWith({ master, cipher, costs: cheapCosts })
      return {
        ...(yield* simulated()),
        encryption: yield* Effect.provide(Encryption, layerOf(master)),
        other: yield* Effect.provide(Encryption, layerOf(wrong)),
        encryptions: () => cipher.encryptions
      }
    })
  )
}

describe("master keys", () => {
  for (const [made, master] of masters) {
    it.live(`the keyring of ${made} opens with no other kind, and says what kind it is`, () =>
      Effect.gen(function* () {
        const { disk } = yield* begun(master)
        for (const [given, , other] of masters) {
          const reason = yield* reasonOf(Effect.scoped(attach(disk, other)))
          assert.strictEqual(reason?._tag, "EncryptionKeyMismatch", `${made}, ${given}`)
        }
        assert.strictEqual(yield* attachTag(disk, master), "success")
      })
    )
  }

  it.live("a passphrase opens whichever way its key was made, and in either encoding of its letters", () =>
    Effect.gen(function* () {
      for (const kdf of ["scrypt", "argon2id"] as const) {
        const { disk, keys } = yield* begun(passphraseMaster("Scho\u0308n", kdf))
        assert.strictEqual(keys.facts().masterKind, `passphrase-${kdf}`)
        assert.strictEqual(yield* attachTag(disk, passphraseMaster("Sch\u00f6n", "scrypt")), "success")
        assert.strictEqual(yield* attachTag(disk, passphraseMaster("Schon")), "EncryptionKeyMismatch")
      }
    })
  )

  it.live("a key that can be none is Invalid, when the layer is built and when keys are rotated", () =>
    Effect.gen(function* () {
      const { allocate, keys } = yield* begun(rawMaster(1))
      const long = passphraseMaster("x".repeat(4097))
      const raw = (length: number): MasterKey => ({ _tag: "Raw", key: Redacted.make(new Uint8Array(length)) })
      for (const master of [raw(0), raw(16), raw(31), raw(33), raw(64), passphraseMaster(""), long]) {
        const built = Effect.scoped(Layer.build(AeadEncryption.layerWith({ master })))
        assert.strictEqual(yield* tagOf(built), "Invalid")
        assert.strictEqual(yield* tagOf(rotated(keys, master, allocate)), "Invalid")
      }
      assert.strictEqual(keys.facts().ringNumber, 1)
    })
  )

  it.live("a provider is asked when a database is created, once when it is opened, and never for files", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const keyed = yield* begun(providerMaster("a", asked))
      yield* keep(keyed, 1)
      yield* keyed.keys.addDataKey({ sequence: 1 }, keyed.allocate)
      assert.deepStrictEqual(asked, ["wrap", "unwrap"])
      const again = yield* attach(keyed.disk, providerMaster("a", asked))
      yield* keep(again, 2)
      assert.deepStrictEqual(asked, ["wrap", "unwrap", "unwrap"])
      assert.strictEqual(again.keys.facts().providerKeyId, "a")
    })
  )

  it.live("a user's key is left as it is, whatever kind of array it is in", () =>
    Effect.gen(function* () {
      const key = Buffer.alloc(32, 7)
      const master: MasterKey = { _tag: "Raw", key: Redacted.make(key) }
      const { allocate, disk, keys } = yield* begun(master)
      yield* rotated(keys, master, allocate)
      assert.deepStrictEqual(key, Buffer.alloc(32, 7))
      assert.strictEqual(yield* attachTag(disk, master), "success")
      assert.strictEqual(yield* attachTag(disk, rawMaster(0)), "EncryptionKeyMismatch")
    })
  )

  it.live("a provider that returns what it was given, or does not unwrap what it wrapped, is Invalid or works", () =>
    Effect.gen(function* () {
      const same: MasterKey = {
        _tag: "Provider",
        provider: { keyId: "same", wrap: Effect.succeed, unwrap: Effect.succeed }
      }
      const { disk } = yield* begun(same)
      assert.strictEqual(yield* attachTag(disk, same), "success")
      const forgetful: MasterKey = {
        _tag: "Provider",
        provider: { keyId: "no", wrap: Effect.succeed, unwrap: () => Effect.succeed(new Uint8Array(32)) }
      }
      const { allocate, keys } = yield* begun(rawMaster(1))
      assert.strictEqual(yield* tagOf(rotated(keys, forgetful, allocate)), "Invalid")
      assert.strictEqual(keys.facts().masterKind, "raw")
    })
  )

  it.live("a provider of another key id is not asked, one that fails fails the open, one that lies is a mismatch", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const { disk } = yield* begun(providerMaster("a"))
      assert.strictEqual(yield* attachTag(disk, providerMaster("b", asked)), "EncryptionKeyMismatch")
      assert.deepStrictEqual(asked, [])
      const down = Effect.fail(fail(new Invalid({ message: "the provider is down" })))
      const of = (unwrap: Effect.Effect<Uint8Array, DatabaseError>): MasterKey => ({
        _tag: "Provider",
        provider: { keyId: "a", wrap: () => down, unwrap: () => unwrap }
      })
      assert.strictEqual(yield* attachTag(disk, of(down)), "Invalid")
      assert.strictEqual(yield* attachTag(disk, of(Effect.succeed(new Uint8Array(32)))), "EncryptionKeyMismatch")
      assert.strictEqual(yield* attachTag(disk, of(Effect.succeed(new Uint8Array(5)))), "EncryptionKeyMismatch")
    })
  )

  it.live("keys that were given to a provider, or came from it, are wiped", () =>
    Effect.gen(function* () {
      const shown: Array<Uint8Array> = []
      const copied = (bytes: Uint8Array, shows: (copy: Uint8Array) => Uint8Array) => {
        const copy = bytes.slice()
        shown.push(shows(copy))
        return copy
      }
      const master: MasterKey = {
        _tag: "Provider",
        provider: {
          keyId: "a",
          wrap: (key) => Effect.sync(() => copied(key, () => key)),
          unwrap: (wrapped) => Effect.sync(() => copied(wrapped, (copy) => copy))
        }
      }
      const { disk } = yield* begun(master)
      yield* attach(disk, master)
      assert.deepStrictEqual(
        shown.map(({ length }) => length),
        [32, 32, 32]
      )
      for (const bytes of shown) assert.isTrue(bytes.every((byte) => byte === 0))
    })
  )
})

describe("changes of keys", () => {
  it.live("another master key, of any kind: the old one opens nothing any more, all files open", () =>
    Effect.gen(function* () {
      const { allocate, disk, ...keyed } = yield* begun(rawMaster(1))
      const kept = yield* keep(keyed, 1)
      let before = rawMaster(1)
      for (const [, master] of [...masters, ...masters.slice(0, 1)]) {
        yield* rotated(keyed.keys, master, allocate)
        if (before !== master && master !== masters[0]![1]) {
          assert.strictEqual(yield* attachTag(disk, before), "EncryptionKeyMismatch")
        }
        assert.isTrue(yield* opens(yield* attach(disk, master), kept))
        assert.strictEqual((yield* ringNames(disk)).length, 1)
        before = master
      }
      assert.isTrue(yield* opens(keyed, kept))
    })
  )

  it.live("another data key: new files are sealed with it, and the older files open until theirs is forgotten", () =>
    Effect.gen(function* () {
      const { allocate, disk, ...keyed } = yield* begun(rawMaster(1))
      const first = yield* keep(keyed, 1)
      assert.strictEqual(yield* keyed.keys.addDataKey({ sequence: 77 }, allocate), 2)
      assert.strictEqual(keyed.attached.keyGeneration(), 2)
      const second = yield* keep(keyed, 2)
      const again = yield* attach(disk, rawMaster(1))
      assert.deepStrictEqual([yield* opens(again, first), yield* opens(again, second)], [true, true])
      assert.deepStrictEqual(
        again.keys.facts().generations.map(({ createdSequence, generation }) => [generation, createdSequence]),
        [
          [1, 0],
          [2, 77]
        ]
      )
      yield* keyed.keys.forgetBelow(2, allocate)
      for (const one of [keyed, yield* attach(disk, rawMaster(1))]) {
        assert.deepStrictEqual([yield* opens(one, first), yield* opens(one, second)], [false, true])
        assert.strictEqual(one.keys.facts().generations.length, 1)
      }
      assert.strictEqual(yield* keyed.keys.addDataKey({ sequence: 78 }, allocate), 3)
    })
  )

  it.live("the current data key is not forgotten: that is a bug of who asks", () =>
    Effect.gen(function* () {
      const { allocate, keys } = yield* begun(rawMaster(1))
      const exit = yield* Effect.exit(keys.forgetBelow(2, allocate))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.strictEqual(keys.facts().generations.length, 1)
    })
  )

  it.live("changes that are asked for at once are made one after the other", () =>
    Effect.gen(function* () {
      const { allocate, disk, keys } = yield* begun(rawMaster(1))
      const all = [
        keys.addDataKey({ sequence: 1 }, allocate),
        rotated(keys, rawMaster(2), allocate),
        keys.addDataKey({ sequence: 2 }, allocate),
        rotated(keys, passphraseMaster("last"), allocate)
      ]
      yield* Effect.all(all, { concurrency: "unbounded" })
      const found = yield* attach(disk, passphraseMaster("last"))
      assert.deepStrictEqual(
        found.keys.facts().generations.map(({ generation }) => generation),
        [1, 2, 3]
      )
      assert.strictEqual((yield* ringNames(disk)).length, 1)
    })
  )
})

describe("secrets", () => {
  it.live("no key, no passphrase and nothing of them is in a message, a fact, a log or what inspection shows", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const logger = Logger.make((line) => void shown.push(inspect(line, { depth: 20 })))
      const secret = Uint8Array.from({ length: 32 }, (_, index) => 0xc5 ^ (index * 29))
      const text = "correct horse battery staple"
      const master: MasterKey = { _tag: "Raw", key: Redacted.make(secret.slice()) }
      const wrong: MasterKey = { _tag: "Raw", key: Redacted.make(secret.slice(1)) }
      const show = (value: unknown) =>
        shown.push(inspect(value, { depth: 20, showHidden: true }), JSON.stringify(value))
      const failing = <A>(effect: Effect.Effect<A, DatabaseError>) =>
        Effect.map(Effect.exit(effect), (exit) => {
          if (Exit.isSuccess(exit)) return
          shown.push(Cause.pretty(exit.cause), String(exit.cause))
          show(exit.cause)
        })
      const { allocate, disk, ...keyed } = yield* begun(master)
      yield* failing(Effect.scoped(attach(disk, passphraseMaster(text))))
      yield* failing(Effect.scoped(attach(disk, wrong)))
      yield* failing(Effect.scoped(attach(disk, master, { sealedWith: 4 })))
      yield* failing(rotated(keyed.keys, wrong, allocate))
      yield* rotated(keyed.keys, passphraseMaster(text), allocate)
      yield* failing(Effect.scoped(attach(disk, master)))
      show(keyed.keys.facts())
      show(keyed.attached)
      show(keyed.attached.threadKeys!())
      show(yield* Effect.provide(Encryption, AeadEncryption.layerWith({ master })))
      shown.push(...(yield* ringNames(disk)))
      for (const name of yield* ringNames(disk)) shown.push(Buffer.from(yield* ringBytes(disk, name)).toString("hex"))
      yield* Effect.provide(Effect.logInfo(keyed.keys.facts()), Logger.layer([logger]))
      const all = shown.join("\n")
      assert.isAbove(all.length, 2000)
      const forms = formsOf(secret)
      for (const form of [...forms, new RegExp(text)]) assert.notMatch(all, form)
      // What would be found if it were there.
      show(secret)
      shown.push(Buffer.from(secret).toString("hex"), Buffer.from(secret).toString("base64"))
      for (const form of forms) assert.match(shown.join("\n"), form)
    })
  )
})

/** How a part of the bytes would look: inspected, as JSON, in hex and in base64. */
const formsOf = (secret: Uint8Array): ReadonlyArray<RegExp> => {
  const some = [...secret.subarray(3, 9)]
  return [
    new RegExp(some.join(",\\s*")),
    new RegExp(some.map((byte, index) => `"${index + 3}":${byte}`).join(",")),
    new RegExp(Buffer.from(some).toString("hex")),
    new RegExp(Buffer.from(some).toString("base64").replaceAll(/[+/]/g, "\\$&"))
  ]
}
