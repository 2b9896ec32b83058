// That everything that a database writes is sealed, once, by the keys it was opened with, and that nothing else is
// taken for its own. How well it is sealed is another matter: the encryption here is a weak one that counts.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, type Scope, Stream } from "effect"
import {
  decodeFileHeader,
  encodeFileHeader,
  type FileKind,
  FileKind as Kinds
} from "../src/internal/format/fileHeader.ts"
import * as LsmDatabase from "../src/layers/LsmDatabase.ts"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as NoEncryption from "../src/layers/NoEncryption.ts"
import type { DatabaseError, Reason } from "../src/services/DatabaseError.ts"
import type { ManifestService } from "../src/services/Manifest.ts"
import { Disk, type DiskService } from "../src/services/Disk.ts"
import { Encryption } from "../src/services/Encryption.ts"
import { hex, invertingSealer } from "./internal/format/support.ts"
import { encryptionWith, filesWith } from "./support/encryptions.ts"
import { FakeEncryption } from "./support/fakeEncryption.ts"
import { openFiles } from "./support/fileSession.ts"
import { faultyDisk, replaceFile } from "./support/faultyDisk.ts"
import { built, directory, type Opened, quiet, smallOptions } from "./support/opened.ts"
import { reasonOf } from "./support/scenario.ts"

const options = { ...smallOptions, valueBytesMax: 1024 * 1024, valueThreshold: 512, directValueBytesMin: 1024 }

type Layered = Layer.Layer<Encryption, DatabaseError>

const openOn = (
  disk: DiskService,
  encryption: Layered,
  given: { readonly directory?: string; readonly readOnly?: boolean } = {}
): Effect.Effect<Opened, DatabaseError, Scope.Scope> =>
  LsmDatabase.layerWith({ ...options, directory, ...given }).pipe(
    Layer.provide([Layer.succeed(Disk, disk), encryption]),
    built,
    quiet
  )

const using = <A>(disk: DiskService, encryption: Layered, body: (opened: Opened) => Effect.Effect<A, DatabaseError>) =>
  Effect.scoped(Effect.flatMap(openOn(disk, encryption), body))

const refusal = (disk: DiskService, encryption: Layered): Effect.Effect<Reason | undefined> =>
  reasonOf(using(disk, encryption, ({ database }) => Stream.runDrain(database.scan())))

const canary = "a canary of sixteen"
const large = (index: number) => new TextEncoder().encode(`${canary} ${index} `.repeat(40 + index * 30))

/** Some of everything: tables, value files of flushes and of commits, compactions, a manifest that was rewritten. */
const fill = ({ database, maintenance }: Opened) =>
  Effect.gen(function* () {
    for (let round = 0; round < 4; round++) {
      for (let index = 0; index < 12; index++) {
        yield* database.set(`${canary}-${index}`, `${canary}-${round}`)
        yield* database.set(`large-${index}`, large(index))
      }
      yield* database.removeRange({ from: `large-8`, to: `large-9` })
      yield* maintenance.flush
    }
    yield* maintenance.compact()
    yield* database.set("last", canary)
  })

const check = ({ database, maintenance }: Opened) =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* database.get(`${canary}-3`), new TextEncoder().encode(`${canary}-3`))
    assert.deepStrictEqual(yield* database.get("large-7"), large(7))
    assert.isUndefined(yield* database.get("large-8"))
    assert.deepStrictEqual((yield* maintenance.verify).damage, [])
  })

const kindOf = (path: string): FileKind | undefined => {
  const name = path.slice(path.lastIndexOf("/") + 1)
  if (name.startsWith("log-")) return Kinds.log
  if (name.startsWith("table-")) return Kinds.table
  if (name.startsWith("value-")) return Kinds.valueFile
  if (name.startsWith("manifest-")) return Kinds.manifest
  return name.startsWith("current-") ? Kinds.marker : undefined
}

const filled = Effect.gen(function* () {
  const encryption = new FakeEncryption("m")
  const memory = MemoryDisk.make()
  yield* using(memory.disk, encryption.layer, fill)
  return { encryption, ...memory }
})

const pathOf = (image: ReadonlyMap<string, Uint8Array>, start: string): string =>
  [...image.keys()].find((path) => path.includes(`/${start}-`))!

describe("sealed files", () => {
  it.live("each has the keys' header, was sealed by one sealer, and shows nothing; all of it reads back", () =>
    Effect.gen(function* () {
      const { disk, encryption, image } = yield* filled
      const kinds = new Set<FileKind>()
      const ids = new Set<string>()
      for (const [path, bytes] of image()) {
        assert.isFalse(Buffer.from(bytes).includes(canary.slice(2, 12)), path)
        const kind = kindOf(path)
        if (kind === undefined) continue
        kinds.add(kind)
        const header = decodeFileHeader(bytes, kind)
        assert.deepInclude(header, { tagBytes: 20, keyGeneration: 1 }, path)
        assert.strictEqual(encryption.sealers.get(hex(header.fileId)), 1, path)
        ids.add(hex(header.fileId))
      }
      assert.strictEqual(kinds.size, 5)
      assert.isAbove(encryption.sealers.size, ids.size, "files that are gone were sealed, too")
      assert.deepStrictEqual(new Set(encryption.sealers.values()), new Set([1]))
      yield* using(disk, encryption.layer, check)
      assert.deepStrictEqual(new Set(encryption.sealers.values()), new Set([1]))
    })
  )

  it.live("the keyring is durable before the first manifest, and stays while nothing changes it", () =>
    Effect.gen(function* () {
      const { calls, disk } = faultyDisk(MemoryDisk.make().disk)
      const encryption = new FakeEncryption("m")
      yield* using(disk, encryption.layer, ({ database }) => database.set("a", "1"))
      const at = (pattern: RegExp) => calls.findIndex((call) => pattern.test(call))
      assert.isAbove(at(/^create keyring/), -1)
      assert.isBelow(at(/^sync keyring/), at(/^create manifest/))
      assert.isBelow(at(/^create manifest/), at(/^create current/))
      const before = calls.length
      yield* using(disk, encryption.layer, ({ database }) => database.set("a", "2"))
      assert.isTrue(calls.slice(before).every((call) => !call.includes("keyring")))
    })
  )

  it.live("a creation that got as far as its keyring is begun anew, and only with a key", () =>
    Effect.gen(function* () {
      const { disk } = MemoryDisk.make()
      yield* disk.makeDirectory(directory)
      yield* replaceFile(disk, `${directory}/keyring-0000000000000003.ring`, new Uint8Array(7))
      assert.strictEqual((yield* refusal(disk, NoEncryption.layer))?._tag, "EncryptionKeyRequired")
      yield* using(disk, new FakeEncryption("m").layer, fill)
      yield* using(disk, new FakeEncryption("m").layer, check)
    })
  )

  it.live("a wrong key, a missing one and one too many are told apart, and touch nothing", () =>
    Effect.gen(function* () {
      const sealed = (yield* filled).image()
      const plainDisk = MemoryDisk.make()
      yield* using(plainDisk.disk, NoEncryption.layer, fill)
      for (const [image, encryption, tag] of [
        [sealed, NoEncryption.layer, "EncryptionKeyRequired"],
        [sealed, new FakeEncryption("other").layer, "EncryptionKeyMismatch"],
        [plainDisk.image(), new FakeEncryption("m").layer, "NotEncrypted"]
      ] as const) {
        const memory = MemoryDisk.fromImage(image)
        const { calls, disk } = faultyDisk(memory.disk)
        const reason = yield* refusal(disk, encryption)
        assert.strictEqual(reason?._tag, tag)
        assert.isFalse(reason!.isRetryable)
        assert.include(reason!.message, directory)
        // The parent is asked whether it can be synced, before anything is known.
        assert.deepStrictEqual(new Set(calls), new Set(["syncDirectory db"]))
        assert.deepStrictEqual(memory.image(), image)
      }
    })
  )

  it.live("a file that says it is plain is tampering, whichever it is, and so is a keyring that is gone", () =>
    Effect.gen(function* () {
      const { encryption, ...memory } = yield* filled
      const image = memory.image()
      const tagWith = (path: string, bytes: Uint8Array | undefined) => {
        const files = new Map(image)
        if (bytes === undefined) files.delete(path)
        else files.set(path, bytes)
        return Effect.map(refusal(MemoryDisk.fromImage(files).disk, encryption.layer), (reason) => {
          assert.strictEqual(reason?._tag, "Tampered", path)
          assert.include(reason!.message, path.slice(0, "/db/keyring-".length))
        })
      }
      for (const [path, bytes] of image) {
        const kind = kindOf(path)
        if (kind === undefined || kind === Kinds.marker) continue
        const plain = { ...decodeFileHeader(bytes, kind), tagBytes: 4 as const }
        for (const header of [plain, { ...plain, keyGeneration: 0 }]) {
          const changed = bytes.slice()
          changed.set(encodeFileHeader(header))
          yield* tagWith(path, changed)
        }
      }
      yield* tagWith(pathOf(image, "keyring"), undefined)
    })
  )
})

describe("sealed files, changed", () => {
  it.live("a changed byte of a block is tampering with its file and offset, and the rest serves", () =>
    Effect.gen(function* () {
      const { encryption, image } = yield* filled
      for (const start of ["table", "value"]) {
        const path = pathOf(image(), start)
        const bytes = image().get(path)!.slice()
        bytes[130]! ^= 1
        const { disk } = MemoryDisk.fromImage(new Map(image()).set(path, bytes))
        yield* using(disk, encryption.layer, ({ database, maintenance }) =>
          Effect.gen(function* () {
            const reason = yield* reasonOf(Stream.runDrain(database.scan()))
            assert.strictEqual(reason?._tag, "Tampered")
            assert.deepInclude(reason, { file: path })
            assert.isFalse(reason!.isRetryable)
            assert.deepStrictEqual(yield* database.get("last"), new TextEncoder().encode(canary))
            const { damage } = yield* maintenance.verify
            assert.isAbove(damage.length, 0)
            assert.isTrue(damage.every(({ file }) => file === path))
          })
        )
      }
    })
  )

  it.live("a marker that does not open is tampering where there is data, and none is created over it", () =>
    Effect.gen(function* () {
      const { encryption, image } = yield* filled
      const path = pathOf(image(), "current")
      const bytes = image().get(path)!.slice()
      bytes[100]! ^= 1
      const files = new Map(image()).set(path, bytes)
      const memory = MemoryDisk.fromImage(files)
      const reason = yield* refusal(memory.disk, encryption.layer)
      assert.deepInclude(reason, { _tag: "Tampered", file: path })
      assert.deepStrictEqual(memory.image(), files)
    })
  )

  it.live("a compaction that meets it fails with it, and goes on with what is sound", () =>
    Effect.gen(function* () {
      const { disk, image } = MemoryDisk.make()
      const encryption = new FakeEncryption("m")
      yield* using(disk, encryption.layer, ({ database, maintenance }) =>
        Effect.forEach([1, 2, 3], (round) => Effect.andThen(database.set(canary, `${round}`), maintenance.flush))
      )
      const path = pathOf(image(), "table")
      const bytes = image().get(path)!.slice()
      bytes[130]! ^= 1
      const changed = MemoryDisk.fromImage(new Map(image()).set(path, bytes)).disk
      yield* using(changed, encryption.layer, ({ database, maintenance }) =>
        Effect.gen(function* () {
          const reason = yield* reasonOf(maintenance.compact())
          assert.deepInclude(reason, { _tag: "Tampered", file: path })
          yield* database.set("b", "1")
          yield* maintenance.flush
          assert.deepStrictEqual(yield* database.get("b"), new TextEncoder().encode("1"))
        })
      )
    })
  )
})

describe("sealed files and bugs", () => {
  it.live("a sealer that breaks in a flush is told to whoever waits for it", () =>
    Effect.gen(function* () {
      const files = filesWith(invertingSealer, {
        sealer: ({ access, kind }) =>
          access === "seal" && kind === Kinds.table ? Effect.die(new TypeError("bug")) : Effect.succeed(invertingSealer)
      })
      const layer = Layer.succeed(Encryption, encryptionWith(files))
      yield* using(MemoryDisk.make().disk, layer, ({ database, maintenance }) =>
        Effect.gen(function* () {
          yield* database.set("a", "1")
          assert.strictEqual((yield* reasonOf(maintenance.flush))._tag, "JobFailed")
          assert.deepStrictEqual(yield* database.get("a"), new TextEncoder().encode("1"))
        })
      )
    })
  )
})

describe("sealed files and their keys", () => {
  it.live("a new data key seals what is made from then on, and the one before it opens what there was", () =>
    Effect.gen(function* () {
      const { disk, image } = MemoryDisk.make()
      const encryption = new FakeEncryption("m").layer
      const session = Effect.map(openFiles(disk, { manifestBytesMax: 1 }, { encryption }), ({ manifest }) => manifest)
      const generations = (manifest: ManifestService) =>
        manifest.encryption.keys!.facts().generations.map(({ generation }) => generation)
      const headers = () =>
        [...image()].flatMap(([path, bytes]) => {
          const kind = kindOf(path)
          return kind === undefined ? [] : [decodeFileHeader(bytes, kind).keyGeneration]
        })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const manifest = yield* session
          yield* manifest.begin({})
          assert.deepStrictEqual(headers(), [1, 1])
          const number = manifest.encryption.keys!.facts().ringNumber
          const next = yield* manifest.changeKeys((keys, allocate) => keys.addDataKey({ sequence: 7 }, allocate))
          assert.strictEqual(next, 2)
          assert.strictEqual(manifest.encryption.keyGeneration(), 2)
          assert.isAbove(manifest.encryption.keys!.facts().ringNumber, number)
          assert.deepStrictEqual(headers(), [1, 1])
        })
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const manifest = yield* session
          assert.deepStrictEqual(generations(manifest), [1, 2])
          yield* manifest.begin({})
          assert.deepStrictEqual(headers(), [2, 2])
          yield* manifest.changeKeys((keys, allocate) => keys.forgetBelow(2, allocate))
        })
      )
      yield* Effect.scoped(Effect.map(session, (manifest) => assert.deepStrictEqual(generations(manifest), [2])))
    })
  )

  it.live("a checkpoint has the keyring, opens with the same key, and with no other", () =>
    Effect.gen(function* () {
      const { disk, encryption, image } = yield* filled
      yield* using(disk, encryption.layer, ({ maintenance }) => maintenance.checkpoint("/copy"))
      assert.strictEqual([...image().keys()].filter((path) => path.startsWith("/copy/keyring-")).length, 1)
      const at = { directory: "/copy" }
      const reason = (layer: Layered) => reasonOf(Effect.scoped(Effect.asVoid(openOn(disk, layer, at))))
      assert.strictEqual((yield* reason(NoEncryption.layer))?._tag, "EncryptionKeyRequired")
      assert.strictEqual((yield* reason(new FakeEncryption("n").layer))?._tag, "EncryptionKeyMismatch")
      yield* Effect.scoped(Effect.flatMap(openOn(disk, encryption.layer, at), check))
      yield* Effect.scoped(Effect.flatMap(openOn(disk, encryption.layer, { ...at, readOnly: true }), check))
    })
  )
})
