// The contract of `Encryption`, one test for each numbered invariant in the contract's words. Every layer passes all of
// them; what only a layer with keys can show is tried where there is one.
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import * as Random from "effect/Random"
import { threadSealer } from "../../src/internal/format/aead.ts"
import { concatBytes } from "../../src/internal/format/bytes.ts"
import { FormatError } from "../../src/internal/format/formatError.ts"
import { checksumSealer, sealChunks } from "../../src/internal/format/sealer.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import {
  type EncryptionService,
  type FileEncryption,
  FileKind,
  type FileSealer,
  type SealedFile,
  type TagBytes
} from "../../src/services/Encryption.ts"
import { attempt, Dice, everyFlip, everyTruncation, hex, utf8 } from "../internal/format/support.ts"
import { placeOf } from "../support/encryption.ts"
import { tagOf } from "../support/fileSession.ts"

export interface EncryptionUnderTest {
  readonly encryption: EncryptionService
  readonly disk: DiskService
  readonly directory: string
  /** What a power cut now would leave, without what was not durable. */
  readonly afterPowerCut: () => DiskService
  /** The same with another key; absent where there are no keys. */
  readonly other?: EncryptionService
  /** How often it encrypted; it has thrown if a nonce came twice. Absent where nothing is encrypted. */
  readonly encryptions?: () => number
}

type Use = (name: string, body: (under: EncryptionUnderTest) => Effect.Effect<void, unknown, Scope.Scope>) => void

export const encryptionSuite = (
  layerName: string,
  make: Effect.Effect<EncryptionUnderTest, unknown, Scope.Scope>
): void => {
  const use: Use = (name, body) => it.live(name, () => Effect.flatMap(make, body))
  describe(`Encryption (${layerName})`, () => {
    places(use)
    sealers(use)
    files(use)
  })
}

/** To a database that is to be created. */
const created = ({ directory, disk, encryption }: EncryptionUnderTest) =>
  Effect.flatMap(placeOf(disk, directory, { sealedWith: undefined }), encryption.attach)

/** To one that is there, sealed as this encryption seals. */
const opened = (
  { directory, disk, encryption }: EncryptionUnderTest,
  on: { readonly disk?: DiskService; readonly sealedWith: TagBytes }
) =>
  Effect.flatMap(placeOf(on.disk ?? disk, directory, { sealedWith: on.sealedWith }), (place) =>
    encryption.attach(place)
  )

let numbers = 0
const allocate = (): number => (numbers += 1)

/** A database was created: its keyring, if it has one, is there. */
const begun = Effect.fnUntraced(function* (under: EncryptionUnderTest) {
  const attached = yield* created(under)
  yield* attached.persist(allocate)
  return attached
})

const newFile = Effect.fnUntraced(function* (attached: FileEncryption, databaseId?: Uint8Array) {
  const file: SealedFile = {
    kind: FileKind.table,
    fileId: attached.newFileId(yield* Random.Random),
    databaseId: attached.databaseId ?? databaseId ?? new Uint8Array(16).fill(1),
    keyGeneration: attached.keyGeneration(),
    access: "seal"
  }
  return { file, sealer: yield* attached.sealer(file) }
})

const opening = (attached: FileEncryption, file: SealedFile): Effect.Effect<FileSealer, DatabaseError> =>
  attached.sealer({ ...file, access: "open" })

/** Every file with its bytes. */
const contents = Effect.fnUntraced(function* ({ directory, disk }: EncryptionUnderTest) {
  const all: Array<string> = []
  for (const { bytes, name } of yield* disk.list(directory)) {
    const file = yield* disk.open(disk.join(directory, name))
    all.push(`${name} ${hex(yield* file.read(0, bytes))}`)
    yield* file.close
  }
  return all.join("\n")
})

const associated = utf8("where it stands")

const places = (use: Use): void => {
  use("1. attach touches nothing", (under) =>
    Effect.gen(function* () {
      yield* created(under)
      assert.strictEqual(yield* contents(under), "")
      const { tagBytes } = yield* begun(under)
      const before = yield* contents(under)
      yield* opened(under, { sealedWith: tagBytes })
      yield* tagOf(Effect.scoped(opened(under, { sealedWith: tagBytes === 4 ? 20 : 4 })))
      assert.strictEqual(yield* contents(under), before)
    })
  )

  use("2. a place that is sealed in another way, with another key, or changed, fails as what it is", (under) =>
    Effect.gen(function* () {
      const tag = (sealedWith: TagBytes, encryption = under.encryption) =>
        tagOf(Effect.scoped(opened({ ...under, encryption }, { sealedWith })))
      const encrypts = under.encryptions !== undefined
      // Before there is a keyring.
      assert.strictEqual(yield* tag(encrypts ? 4 : 20), encrypts ? "NotEncrypted" : "EncryptionKeyRequired")
      if (encrypts) assert.strictEqual(yield* tag(20), "Tampered")
      const { tagBytes } = yield* begun(under)
      assert.strictEqual(yield* tag(tagBytes), "success")
      if (under.other !== undefined) assert.strictEqual(yield* tag(tagBytes, under.other), "EncryptionKeyMismatch")
      if (encrypts) assert.strictEqual(yield* tag(4), "Tampered")
    })
  )
}

const sealers = (use: Use): void => {
  use("3. what a sealer sealed opens with every sealer of the same file, exactly as it was", (under) =>
    Effect.gen(function* () {
      const attached = yield* begun(under)
      const { file, sealer } = yield* newFile(attached)
      const again = yield* opened(under, { sealedWith: attached.tagBytes })
      const others = [sealer, yield* opening(attached, file), yield* opening(again, file)]
      const dice = new Dice(1)
      for (const length of [0, 1, 15, 16, 17, 4096, 100_000]) {
        const plain = dice.bytes(length)
        const piece = sealer.seal(associated, plain)
        const parts = [plain.subarray(0, length >> 1), plain.subarray(length >> 1)]
        const chunked = sealChunks(sealer, associated, parts)
        assert.deepStrictEqual([piece.body.length, piece.tag.length], [length, attached.tagBytes])
        for (const other of others) {
          assert.strictEqual(hex(other.open(associated, piece.body, piece.tag)), hex(plain))
          assert.strictEqual(hex(other.open(associated, concatBytes(chunked.body), chunked.tag)), hex(plain))
        }
      }
    })
  )

  use("4. nothing that was changed opens, and no bytes of it are shown", (under) =>
    Effect.gen(function* () {
      const { file, sealer } = yield* newFile(yield* begun(under))
      const { body, tag } = sealer.seal(associated, utf8("some plain bytes"))
      const refused = (where: Uint8Array, changed: Uint8Array, its: Uint8Array) =>
        assert.isTrue("error" in attempt(() => sealer.open(where, changed, its)))
      everyFlip(body, (bytes) => refused(associated, bytes, tag))
      everyFlip(tag, (bytes) => refused(associated, body, bytes))
      everyFlip(associated, (bytes) => refused(bytes, body, tag))
      everyTruncation(tag, (bytes) => refused(associated, body, bytes))
      if (under.encryptions === undefined) return
      everyTruncation(body, (bytes) => refused(associated, bytes, tag))
      const attached = yield* opened(under, { sealedWith: 20 })
      for (const other of [
        { kind: FileKind.log },
        { fileId: file.fileId.map((byte) => byte ^ 1) },
        { databaseId: file.databaseId.map((byte) => byte ^ 1) },
        { keyGeneration: 0 },
        { keyGeneration: 9 }
      ]) {
        const wrong = yield* opening(attached, { ...file, ...other })
        assert.throws(() => wrong.open(associated, body, tag), FormatError)
        assert.throws(() => wrong.seal(associated, body))
      }
    })
  )

  use("5. nothing is sealed twice with the same key and nonce, also by attachments to copies", (under) =>
    Effect.gen(function* () {
      if (under.encryptions === undefined) return
      const { tagBytes } = yield* begun(under)
      const before = under.encryptions()
      for (let attachment = 0; attachment < 20; attachment++) {
        const attached = yield* opened(under, { sealedWith: tagBytes })
        for (let files = 0; files < 5; files++) {
          const { sealer } = yield* newFile(attached)
          for (let pieces = 0; pieces < 20; pieces++) sealer.seal(associated, utf8("the same"))
        }
      }
      assert.strictEqual(under.encryptions() - before, 20 * 5 * 20)
    })
  )

  use('6. a sealer with access "open" seals nothing', (under) =>
    Effect.gen(function* () {
      const attached = yield* begun(under)
      const { file } = yield* newFile(attached)
      const sealer = yield* opening(attached, file)
      assert.throws(() => sealer.seal(associated, utf8("a")), "seals nothing")
      assert.throws(() => sealChunks(sealer, associated, [utf8("a")]), "seals nothing")
      // The engine asks for each new file's sealer once; where nonces hang on that, twice is a bug that ends it.
      if (under.encryptions !== undefined)
        assert.throws(() => attached.sealer({ ...file, access: "seal" }), "one sealer")
    })
  )
}

const files = (use: Use): void => {
  use("7. file ids are 32 bytes, and none comes twice", (under) =>
    Effect.gen(function* () {
      const random = yield* Random.Random
      const seen = new Set<string>()
      for (let attachment = 0; attachment < 4; attachment++) {
        const attached = yield* created(under)
        for (let count = 0; count < 500; count++) {
          const id = attached.newFileId(random)
          assert.strictEqual(id.length, 32)
          seen.add(hex(id))
        }
      }
      assert.strictEqual(seen.size, 2000)
    })
  )

  use("8. after persist another attach opens what was sealed, also after a power cut", (under) =>
    Effect.gen(function* () {
      const attached = yield* begun(under)
      const { file, sealer } = yield* newFile(attached)
      const { body, tag } = sealer.seal(associated, utf8("kept"))
      const before = yield* contents(under)
      yield* attached.persist(() => assert.fail("there was nothing to persist"))
      assert.strictEqual(yield* contents(under), before)
      for (const disk of [under.disk, under.afterPowerCut()]) {
        const again = yield* opened(under, { disk, sealedWith: attached.tagBytes })
        yield* again.persist(() => assert.fail("there was nothing to persist"))
        const other = yield* opening(again, file)
        assert.strictEqual(hex(other.open(associated, body, tag)), hex(utf8("kept")))
      }
    })
  )

  use("9. every attach to a database says the same database id", (under) =>
    Effect.gen(function* () {
      const { databaseId, tagBytes } = yield* begun(under)
      const again = yield* opened(under, { sealedWith: tagBytes })
      assert.deepStrictEqual(again.databaseId, databaseId)
      if (databaseId === undefined) return
      assert.strictEqual(databaseId.length, 16)
      const another = yield* created(under)
      assert.notDeepEqual(another.databaseId, databaseId)
    })
  )

  use("10. the keys for threads make sealers that open what these seal", (under) =>
    Effect.gen(function* () {
      const attached = yield* begun(under)
      assert.isDefined(attached.threadKeys)
      const { cipher, generations } = structuredClone({ ...attached.threadKeys!(), generations: [] as const })
      assert.deepStrictEqual([cipher, generations], [attached.name, []])
      const { file, sealer } = yield* newFile(attached)
      const { body, tag } = sealer.seal(associated, utf8("for all"))
      const sent = attached.threadKeys!().generations
      const there = cipher === "none" ? checksumSealer : threadSealer(sent, { ...file, access: "open" })
      assert.strictEqual(hex(there.open(associated, body, tag)), hex(utf8("for all")))
    })
  )
}
