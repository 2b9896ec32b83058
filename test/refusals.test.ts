// What is refused at the edges of what may be: a typed error that says what to do, and nothing is changed.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { FileKind } from "../src/internal/format/fileHeader.ts"
import * as AeadEncryption from "../src/layers/AeadEncryption.ts"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { Operation } from "../src/services/Database.ts"
import { EncryptionKeyMismatch, fail, type Reason } from "../src/services/DatabaseError.ts"
import { Encryption, type FileEncryption } from "../src/services/Encryption.ts"
import { KeyProvider } from "../src/services/KeyProvider.ts"
import { encryptionWith, filesWith } from "./support/encryptions.ts"
import { invertingSealer } from "./internal/format/support.ts"
import { open, type Opened, type OpenOptions, smallOptions } from "./support/opened.ts"
import {
  closedAfter,
  contentsAfter,
  flipped,
  pathsOf,
  reasonOf,
  refusalOf,
  simulate,
  stateOf,
  textOf,
  using,
  withFiles
} from "./support/scenario.ts"
import { valueOptions } from "./support/valueKit.ts"

const assertReason = (reason: Reason | undefined, tag: Reason["_tag"], word: string): void => {
  assert.strictEqual(reason?._tag, tag, reason?.message)
  assert.include(reason!.message, word)
}

/** The name of a marker that comes after this one. */
const later = (path: string): string => path.replace(/\d(?=\.|$)/, "9")

const inDatabase = <A>(
  body: (opened: Opened) => Effect.Effect<A, never>,
  options: OpenOptions = smallOptions,
  device: { readonly layer: SimDisk.SimDisk["layer"] } = SimDisk.make()
): A => simulate(using(device, body, options))

describe("a batch", () => {
  const set = (key: string, value: string): Operation => ({ type: "set", key, value })

  it("of operations that write nothing is a commit of none", () => {
    const nothing: Operation = { type: "removeRange", from: "a", to: "a" }
    const state = inDatabase(({ database }) =>
      Effect.orDie(
        Effect.gen(function* () {
          yield* database.set("a", "1")
          const { sequence } = yield* database.write([nothing])
          assert.strictEqual((yield* database.write([nothing, nothing])).sequence, sequence)
          return yield* stateOf(database)
        })
      )
    )
    assert.deepStrictEqual(state, { a: "1" })
  })

  it("over transactionBytesMax is Invalid, and one that fits after it is written", () => {
    const options = { ...smallOptions, transactionBytesMax: 1024 }
    const many = Array.from({ length: 40 }, (_, index) => set(`k${index}`, "v".repeat(40)))
    const state = inDatabase(
      ({ database }) =>
        Effect.gen(function* () {
          assertReason(yield* reasonOf(database.write(many)), "Invalid", "transactionBytesMax")
          yield* Effect.orDie(database.write(many.slice(0, 3)))
          return Object.keys(yield* Effect.orDie(stateOf(database)))
        }),
      options
    )
    assert.deepStrictEqual(state, ["k0", "k1", "k2"])
  })

  it("with a key that no memtable has room for is Invalid, also where its value is in a file", () => {
    inDatabase(
      ({ database }) =>
        Effect.gen(function* () {
          const setting = database.setStream("k".repeat(3000), Stream.make(new Uint8Array(200)))
          assertReason(yield* reasonOf(setting), "Invalid", "larger arenas")
          assert.deepStrictEqual(yield* Effect.orDie(stateOf(database)), {})
        }),
      valueOptions
    )
  })
})

describe("an argument", () => {
  it("that is no isolation level, or no key, is Invalid", () => {
    inDatabase(({ database }) =>
      Effect.gen(function* () {
        const begun = Effect.scoped(database.begin({ isolation: "dirty" as "snapshot" }))
        assertReason(yield* reasonOf(begun), "Invalid", "serializable")
        assertReason(yield* reasonOf(database.get(7 as unknown as string)), "Invalid", "Uint8Array")
        assertReason(yield* reasonOf(database.get("ä".repeat(40_000))), "Invalid", "65,535")
        assertReason(yield* reasonOf(database.get("ä".repeat(32_768))), "Invalid", "65,535")
      })
    )
  })

  it("of levels of level 0 that do not ascend is Invalid", () => {
    const refused = (options: object) => refusalOf(new Map(), { ...smallOptions, ...options })
    const wrong = { level0TablesMin: 8, level0TablesSlow: 4, level0TablesStop: 20 }
    assertReason(refused(wrong), "Invalid", "level0TablesSlow")
    assertReason(refused({ ...wrong, level0TablesSlow: 20 }), "Invalid", "level0TablesStop")
    assert.isUndefined(refused({ ...wrong, level0TablesSlow: 8 }))
  })

  it("of a provider whose id, or whose wrapped key, is too long is Invalid", () => {
    const openWith = (keyId: string, wrappedBytes: number) => {
      const wrap = () => Effect.succeed(new Uint8Array(wrappedBytes))
      const provider = { keyId, wrap, unwrap: (wrapped: Uint8Array) => Effect.succeed(wrapped) }
      const encryption = AeadEncryption.layerProvider.pipe(Layer.provide(Layer.succeed(KeyProvider, provider)))
      return refusalOf(new Map(), { ...smallOptions, encryption })
    }
    assertReason(openWith("k".repeat(70_000), 10), "Invalid", "id of a provider's key")
    assertReason(openWith("k", 70_000), "Invalid", "wrapped a key in more than")
    assertReason(openWith("k", 32), "Invalid", "does not unwrap")
  })
})

describe("a directory", () => {
  it("with a directory by the name of a file of ours holds other files", () => {
    const [log] = pathsOf(
      closedAfter(({ database }) => database.set("a", "1")),
      "log"
    )
    assertReason(refusalOf(new Map([[`${log}/x`, new Uint8Array(1)]])), "Invalid", "other files")
  })

  it("with a marker that is longer than any passes over it", () => {
    const image = closedAfter(({ database }) => database.set("a", "1"))
    const markers = pathsOf(image, "current")
    const long = (path: string) => new Uint8Array(Buffer.concat([image.get(path)!, Buffer.alloc(2000)]))
    const all = withFiles(image, Object.fromEntries(markers.map((path) => [path, long(path)])))
    assertReason(refusalOf(all), "Corruption", "too many for a marker")
    const newest = markers.at(-1)!
    assert.deepStrictEqual(contentsAfter(withFiles(image, { [later(newest)]: long(newest) })), { a: "1" })
  })

  it("that has no sockets takes a checkpoint, and no database that is written to", () => {
    const device = SimDisk.make()
    simulate(
      using(device, ({ database, maintenance }) =>
        Effect.gen(function* () {
          yield* database.set("a", "1")
          device.addFault({
            code: "ENOTSUP",
            sticky: true,
            match: (operation, path) => operation === "lock" && path.startsWith("/copy")
          })
          yield* maintenance.checkpoint("/copy")
        })
      )
    )
    const opening = (at: string) => reasonOf(Effect.scoped(open(device.layer, smallOptions, at)))
    assertReason(simulate(opening("/copy")), "Unsupported", "no sockets")
    device.clearFaults()
    const found = Effect.scoped(
      Effect.flatMap(open(device.layer, smallOptions, "/copy"), ({ database }) => database.get("a"))
    )
    assert.strictEqual(textOf(simulate(found)), "1")
  })
})

describe("an encrypted database", () => {
  const keyed = (sealer: FileEncryption["sealer"]) => ({
    ...smallOptions,
    encryption: Layer.succeed(Encryption, encryptionWith(filesWith(invertingSealer, { sealer })))
  })
  const sound = keyed(() => Effect.succeed(invertingSealer))
  const writing = ({ database, maintenance }: Opened) => Effect.andThen(database.set("a", "1"), maintenance.flush)

  it("with a key that is refused when a table is opened fails the read, and opens the table later", () => {
    let isRefused = true
    const message = "the key is not at hand"
    const options = keyed(({ access, kind }) =>
      isRefused && access === "open" && kind === FileKind.table
        ? Effect.fail(fail(new EncryptionKeyMismatch({ message })))
        : Effect.succeed(invertingSealer)
    )
    const device = MemoryDisk.fromImage(closedAfter(writing, sound))
    inDatabase(
      ({ database }) =>
        Effect.gen(function* () {
          assertReason(yield* reasonOf(database.get("a")), "EncryptionKeyMismatch", message)
          isRefused = false
          assert.strictEqual(textOf(yield* Effect.orDie(database.get("a"))), "1")
        }),
      { ...options, readOnly: true },
      device
    )
  })

  it("with a whole marker of one that is not, behind a torn one, was tampered with", () => {
    const image = closedAfter(writing, sound)
    const plain = closedAfter(writing)
    const newest = pathsOf(image, "current").at(-1)!
    const [own] = pathsOf(plain, "current").slice(-1)
    // The newest is sealed, and not the one that its name says; the one before it is another database's.
    const files = withFiles(image, { [later(newest)]: image.get(newest)!, [newest]: plain.get(own!)! })
    assertReason(refusalOf(files, sound), "Tampered", "a marker with tags of 4 bytes")
    const torn = withFiles(files, { [newest]: flipped(plain.get(own!)!, 100) })
    assert.notStrictEqual(refusalOf(torn, sound), undefined)
    const other = withFiles(plain, { [later(own!)]: plain.get(own!)!, [own!]: image.get(newest)! })
    assertReason(refusalOf(other), "Corruption", "a marker with tags of 20 bytes")
  })
})
