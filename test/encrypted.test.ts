// An encrypted database in a directory of the machine, with worker threads, from its creation to its copies.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, type Scope, Stream } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as AeadEncryption from "../src/layers/AeadEncryption.ts"
import * as LsmDatabase from "../src/layers/LsmDatabase.ts"
import type { Operation } from "../src/services/Database.ts"
import type { DatabaseError, Reason } from "../src/services/DatabaseError.ts"
import { KeyProvider } from "../src/services/KeyProvider.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { built, type Opened, quiet } from "./support/opened.ts"
import { reasonOf } from "./support/scenario.ts"

const keyOf = (byte: number) => Redacted.make(new Uint8Array(32).fill(byte))
const withKey = (byte: number) => AeadEncryption.layer({ key: keyOf(byte) })

const options: OptionsInput = {
  arenaBytes: 64 * 1024,
  valueThreshold: 512,
  directValueBytesMin: 32 * 1024,
  valueBytesMax: 1024 * 1024,
  blockBytes: 4096,
  workers: 2
}

const openAt = (
  directory: string,
  encryption?: LsmDatabase.Location["encryption"],
  more: OptionsInput = {}
): Effect.Effect<Opened, DatabaseError, Scope.Scope> =>
  quiet(built(LsmDatabase.layer({ ...options, ...more, directory, encryption })))

const refusal = (...place: Parameters<typeof openAt>): Effect.Effect<Reason> =>
  reasonOf(Effect.scoped(Effect.asVoid(openAt(...place))))

const inDirectory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "strata-encrypted-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const canary = "5ca1ab1e0ddba11"
const key = (index: number) => `${canary}-${String(index).padStart(5, "0")}`
const valueOf = (index: number, round: number): Uint8Array => {
  const length = index % 97 === 0 ? 40_000 : index % 11 === 0 ? 2_000 : 80
  return new TextEncoder().encode(`${canary}:${index}:${round};`.repeat(Math.ceil(length / 20))).subarray(0, length)
}

const count = 1500

/** Round by round: all, every second from the second on, every third from the third on. A hundred to a commit. */
const load = ({ database, maintenance }: Opened, round: number) =>
  Effect.gen(function* () {
    const writes: Array<Operation> = []
    for (let index = round; index < count; index += 1 + round) {
      writes.push({ type: "set", key: key(index), value: valueOf(index, round) })
    }
    while (writes.length > 0) yield* database.write(writes.splice(0, 100))
    yield* maintenance.flush
  })

const roundOf = (index: number): number => (index >= 2 && (index - 2) % 3 === 0 ? 2 : index % 2 === 1 ? 1 : 0)

const check = ({ database, maintenance }: Opened) =>
  Effect.gen(function* () {
    const entries = yield* Stream.runCollect(database.scan())
    assert.lengthOf(entries, count)
    for (const index of [0, 1, 2, 97, 98, 500, 1067, count - 1]) {
      assert.deepStrictEqual(yield* database.get(key(index)), valueOf(index, roundOf(index)), key(index))
    }
    assert.deepStrictEqual((yield* maintenance.verify).damage, [])
  })

const filesIn = (directory: string): ReadonlyMap<string, Buffer> =>
  new Map(
    fs
      .readdirSync(directory)
      .filter((name) => !name.startsWith("lock-"))
      .map((name) => [name, fs.readFileSync(path.join(directory, name))])
  )

const filled = Effect.gen(function* () {
  const directory = path.join(yield* inDirectory, "db")
  let started = 0
  const count = () => void (started += 1)
  process.on("worker", count)
  const opened = yield* Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* openAt(directory, withKey(1))
      for (let round = 0; round < 3; round++) yield* load(opened, round)
      yield* opened.maintenance.compact()
      yield* opened.maintenance.collectValues({ garbageRatioMin: 0.01 })
      yield* check(opened)
      return yield* opened.maintenance.stats
    })
  )
  process.off("worker", count)
  return { directory, started, stats: opened }
})

describe("an encrypted database", () => {
  it.live("writes, flushes, compacts and collects in threads, reads back, and shows nothing", () =>
    Effect.gen(function* () {
      const { directory, started } = yield* filled
      assert.isAbove(started, 0, "its jobs ran in threads")
      for (const [name, bytes] of filesIn(directory)) assert.isFalse(bytes.includes(canary), name)
      yield* Effect.scoped(Effect.flatMap(openAt(directory, withKey(1)), check))
      yield* Effect.scoped(Effect.flatMap(openAt(directory, withKey(1), { readOnly: true }), check))
      yield* Effect.scoped(Effect.flatMap(openAt(directory, withKey(1), { workers: 0 }), check))
    }).pipe(Effect.scoped)
  )

  it.live("without its key, or with another, it does not open, and nothing is touched", () =>
    Effect.gen(function* () {
      const { directory } = yield* filled
      const before = filesIn(directory)
      const required = yield* refusal(directory)
      assert.strictEqual(required._tag, "EncryptionKeyRequired")
      const mismatch = yield* refusal(directory, withKey(2))
      assert.strictEqual(mismatch._tag, "EncryptionKeyMismatch")
      const passphrase = AeadEncryption.layerPassphrase({ passphrase: Redacted.make("word") })
      assert.strictEqual((yield* refusal(directory, passphrase))._tag, "EncryptionKeyMismatch")
      assert.deepStrictEqual(filesIn(directory), before)
      for (const { message } of [required, mismatch]) assert.notInclude(message, "0202")
    }).pipe(Effect.scoped)
  )

  it.live("a plain one takes no key", () =>
    Effect.gen(function* () {
      const directory = path.join(yield* inDirectory, "db")
      yield* Effect.scoped(Effect.flatMap(openAt(directory), ({ database }) => database.set("a", "1")))
      const before = filesIn(directory)
      assert.strictEqual((yield* refusal(directory, withKey(1)))._tag, "NotEncrypted")
      assert.deepStrictEqual(filesIn(directory), before)
    }).pipe(Effect.scoped)
  )

  it.live("by a passphrase, or a provider, it opens with that one, and with no other kind of key", () =>
    Effect.gen(function* () {
      const place = yield* inDirectory
      const words = (passphrase: string) => AeadEncryption.layerPassphrase({ passphrase: Redacted.make(passphrase) })
      const provider = (pad: number) =>
        AeadEncryption.layerProvider.pipe(
          Layer.provide(
            Layer.succeed(KeyProvider, {
              keyId: `key ${pad}`,
              wrap: (key) => Effect.succeed(key.map((byte) => byte ^ pad)),
              unwrap: (wrapped) => Effect.succeed(wrapped.map((byte) => byte ^ pad))
            })
          )
        )
      for (const [name, right, wrong] of [
        ["passphrase", words("right horse"), [words("wrong horse"), withKey(1), provider(7)]],
        ["provider", provider(7), [provider(8), withKey(1)]]
      ] as const) {
        const directory = path.join(place, name)
        yield* Effect.scoped(Effect.flatMap(openAt(directory, right), ({ database }) => database.set("a", "1")))
        for (const encryption of wrong) {
          assert.strictEqual((yield* refusal(directory, encryption))._tag, "EncryptionKeyMismatch")
        }
        assert.strictEqual((yield* refusal(directory))._tag, "EncryptionKeyRequired")
        yield* Effect.scoped(
          Effect.flatMap(openAt(directory, right), ({ database }) =>
            Effect.map(database.get("a"), (value) => assert.deepStrictEqual(value, new TextEncoder().encode("1")))
          )
        )
      }
    }).pipe(Effect.scoped)
  )

  it.live("a checkpoint, and a plain copy of the closed directory, open with the same key and go on alone", () =>
    Effect.gen(function* () {
      const { directory } = yield* filled
      const [copy, checkpoint] = [`${directory}-copy`, `${directory}-checkpoint`]
      fs.cpSync(directory, copy, { recursive: true })
      yield* Effect.scoped(
        Effect.flatMap(openAt(directory, withKey(1)), ({ maintenance }) => maintenance.checkpoint(checkpoint))
      )
      fs.rmSync(directory, { recursive: true })
      for (const place of [copy, checkpoint]) {
        yield* Effect.scoped(Effect.flatMap(openAt(place, withKey(1)), check))
        assert.strictEqual((yield* refusal(place, withKey(2)))._tag, "EncryptionKeyMismatch")
        yield* Effect.scoped(
          Effect.flatMap(openAt(place, withKey(1)), (opened) =>
            Effect.andThen(opened.database.set(key(3), "new"), opened.maintenance.flush)
          )
        )
        yield* Effect.scoped(
          Effect.flatMap(openAt(place, withKey(1)), ({ database }) =>
            Effect.map(database.get(key(3)), (value) => assert.deepStrictEqual(value, new TextEncoder().encode("new")))
          )
        )
      }
    }).pipe(Effect.scoped)
  )

  it.live("what was changed on the disk is named by verify, the keyring too, and jobs leave it alone", () =>
    Effect.gen(function* () {
      const { directory } = yield* filled
      const names = [...filesIn(directory).keys()]
      for (const start of ["table-", "value-", "keyring-"]) {
        const file = path.join(
          directory,
          names.find((name) => name.startsWith(start))!
        )
        const sound = fs.readFileSync(file)
        const changed = Buffer.from(sound)
        changed[changed.length >> 1]! ^= 1
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { database, maintenance } = yield* openAt(directory, withKey(1))
            fs.writeFileSync(file, changed)
            const { damage } = yield* maintenance.verify
            assert.isAbove(damage.length, 0, start)
            assert.isTrue(
              damage.every((place) => place.file === file),
              JSON.stringify(damage)
            )
            if (start === "table-") {
              const reason = yield* reasonOf(Stream.runDrain(database.scan()))
              assert.deepInclude(reason, { _tag: "Tampered", file })
            }
          })
        )
        fs.writeFileSync(file, sound)
      }
      yield* Effect.scoped(Effect.flatMap(openAt(directory, withKey(1)), check))
    }).pipe(Effect.scoped)
  )
})
