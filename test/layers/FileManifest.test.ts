import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import { FileKind, formatVersion } from "../../src/internal/format/fileHeader.ts"
import { manifestFileName, markerFileName } from "../../src/internal/format/fileName.ts"
import { ManifestFrameWriter } from "../../src/internal/format/manifestFrame.ts"
import { encodeMarker, type Marker } from "../../src/internal/format/marker.ts"
import type { ManifestEdit } from "../../src/internal/format/manifestEdit.ts"
import { checksumSealer } from "../../src/internal/format/sealer.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import { DirectoryLocked, DiskError, type DiskService } from "../../src/services/Disk.ts"
import { Encryption } from "../../src/services/Encryption.ts"
import type { ManifestService } from "../../src/services/Manifest.ts"
import type { OptionsShape } from "../../src/services/Options.ts"
import { manifestSuite } from "../suites/manifestSuite.ts"
import { contentOf, faultyDisk, namesOn, replaceFile } from "../support/faultyDisk.ts"
import { encryptionWith, invertingFiles } from "../support/encryptions.ts"
import { bytesOf, directory, openFiles, reasonOf, recover, session, tableMeta, tagOf } from "../support/fileSession.ts"
import { manifestOn, places } from "../support/underTest.ts"

for (const [name, place] of places) manifestSuite(`FileManifest on ${name}`, manifestOn(place))

const memory = () => faultyDisk(MemoryDisk.make().disk)
const at = (name: string) => `${directory}/${name}`

const opening = (disk: DiskService, options: Partial<OptionsShape> = {}) =>
  session(disk, ({ manifest }) => Effect.succeed(manifest.exists), options)

const began = (
  disk: DiskService,
  body: (manifest: ManifestService) => Effect.Effect<void, unknown> = () => Effect.void
) => session(disk, ({ manifest }) => Effect.andThen(manifest.begin({}), Effect.orDie(body(manifest))))

const put = (disk: DiskService, name: string, bytes: Uint8Array | string = "") =>
  replaceFile(disk, at(name), typeof bytes === "string" ? bytesOf(bytes) : bytes)

const names = (disk: DiskService) => Effect.map(namesOn(disk, directory), (entries) => entries.map(({ name }) => name))

const inDirectory = Effect.fnUntraced(function* () {
  const faulty = memory()
  yield* faulty.disk.makeDirectory(directory)
  return faulty
})

/** A database by hand, as another version might leave it. */
const written = Effect.fnUntraced(function* (
  edits: ReadonlyArray<ManifestEdit>,
  change: { readonly format?: number; readonly marker?: Partial<Marker>; readonly number?: number } = {}
) {
  const { disk } = yield* inDirectory()
  const ids = { databaseId: new Uint8Array(16), incarnation: new Uint8Array(16), fileId: new Uint8Array(32).fill(7) }
  const header = { format: formatVersion, tagBytes: 4 as const, keyGeneration: 0, epoch: 1, ...ids }
  const sealer = checksumSealer
  const manifest = new ManifestFrameWriter({ header: { ...header, kind: FileKind.manifest, fileNumber: 1 }, sealer })
  const bytes = Buffer.concat([manifest.fileHeader, ...edits.flatMap((edit) => manifest.frame(edit))])
  yield* put(disk, manifestFileName(1), bytes)
  const named = { manifestNumber: 1, manifestBytes: bytes.length, manifestFileId: ids.fileId }
  const marker = { ...named, ...change.marker }
  const format = change.format ?? formatVersion
  const markerHeader = { ...header, format, kind: FileKind.marker, fileNumber: change.number ?? 2 }
  yield* put(disk, markerFileName(2), Buffer.concat(encodeMarker({ header: markerHeader, marker, sealer })))
  return disk
})

const whole: ManifestEdit = { encryptionName: "none", fileNumberNext: 3, snapshotEnd: true, epoch: 1 }

describe("FileManifest, creation", () => {
  it.effect("foreign files in the directory: nothing is created beside them, and a database leaves them alone", () =>
    Effect.gen(function* () {
      const { disk } = yield* inDirectory()
      for (const name of [".hidden", "lost+found", "Thumbs.db", "desktop.ini", "._log-0000000000000001.wal"]) {
        yield* put(disk, name)
      }
      yield* put(disk, "report.pdf")
      const reason = yield* reasonOf(opening(disk))
      assert.strictEqual(reason?._tag, "Invalid")
      assert.match(reason!.message, /report\.pdf.*choose an empty directory/)
      yield* disk.remove(at("report.pdf"))
      yield* began(disk)
      yield* put(disk, "report.pdf", "mine")
      yield* put(disk, "log-1.wal", "also mine")
      yield* began(disk, (manifest) => manifest.removeOrphans(() => false))
      assert.includeMembers(yield* names(disk), ["report.pdf", "log-1.wal", ".hidden", "._log-0000000000000001.wal"])
    })
  )

  it.effect("makes the directory and syncs all the names on the way to it", () =>
    Effect.gen(function* () {
      const { calls, disk } = memory()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { manifest } = yield* openFiles(disk, {}, { directory: "/a/b/c" })
          calls.length = 0
          yield* manifest.begin({})
        })
      )
      assert.strictEqual(calls.filter((call) => call.startsWith("syncDirectory ..")).length, 3)
      assert.match(calls.slice(0, 3).join(), /create manifest.*,append manifest.*,sync manifest/)
    })
  )

  it.effect("says what is wrong with a path", () =>
    Effect.gen(function* () {
      const { disk } = memory()
      yield* replaceFile(disk, "/file", bytesOf("x"))
      for (const [path, options, tag, message] of [
        ["/file", {}, "Invalid", /is a file/],
        ["/file/db", {}, "Invalid", /is a file/],
        ["/none", { create: false }, "Invalid", /no database at \/none.*create: true/],
        ["/none", { readOnly: true }, "Invalid", /no database at \/none/]
      ] as const) {
        const reason = yield* reasonOf(Effect.scoped(openFiles(disk, options, { directory: path })))
        assert.strictEqual(reason?._tag, tag)
        assert.match(reason!.message, message)
      }
      assert.deepStrictEqual(
        (yield* disk.list("/")).map(({ name }) => name),
        ["file"]
      )
      yield* disk.makeDirectory(directory)
      assert.strictEqual(yield* tagOf(opening(disk, { create: false })), "Invalid")
    })
  )

  it.effect("says so when the directory may not be written, is locked, or cannot be", () =>
    Effect.gen(function* () {
      const { disk } = yield* inDirectory()
      const about = { operation: "lock", file: directory }
      for (const [error, tag, message] of [
        [new DiskError({ ...about, code: "EACCES" }), "Io", /permissions, or open with readOnly/],
        [new DiskError({ ...about, code: "ENOTSUP" }), "Unsupported", /no sockets.*readOnly: true/],
        [new DirectoryLocked({ directory, pid: 41, startedAtMillis: 0 }), "Locked", /process 41, started 1970-01-01T/],
        [new DirectoryLocked({ directory, pid: undefined, startedAtMillis: undefined }), "Locked", /\/db is open;/]
      ] as const) {
        const reason = yield* reasonOf(opening({ ...disk, lock: () => Effect.fail(error) }))
        assert.strictEqual(reason?._tag, tag)
        assert.match(reason!.message, message)
      }
      yield* Effect.scoped(openFiles(disk))
      const held = yield* openFiles(disk)
      assert.isFalse(held.manifest.exists)
      assert.strictEqual(yield* tagOf(opening(disk)), "Locked")
      assert.strictEqual(yield* tagOf(opening(disk, { readOnly: true })), "Locked")
    })
  )

  it.effect("power loss while the database is being created, and an empty CURRENT file: it is created anew", () =>
    Effect.gen(function* () {
      const { disk } = yield* inDirectory()
      yield* session(disk, (files) => recover(files))
      const [marker] = yield* namesOn(disk, directory, /mark$/)
      const bytes = yield* contentOf(disk, at(marker!.name))
      for (const torn of [new Uint8Array(0), bytes.slice(0, 20), bytes.slice(0, bytes.length - 1)]) {
        yield* put(disk, marker!.name, torn)
        assert.strictEqual(yield* tagOf(opening(disk, { create: false })), "Invalid")
        assert.isFalse(yield* opening(disk))
      }
      yield* session(disk, (files) =>
        Effect.andThen(
          recover(files),
          Effect.suspend(() => files.manifest.removeOrphans((_, number) => number >= files.wal.segment()))
        )
      )
      assert.isTrue(yield* opening(disk))
      assert.strictEqual((yield* names(disk)).filter((name) => /man$|mark$/.test(name)).length, 2)
    })
  )

  it.effect("data without a valid marker is Corruption that says so", () =>
    Effect.gen(function* () {
      for (const what of ["table", "value", "log"]) {
        const { disk } = yield* inDirectory()
        yield* session(disk, (files) =>
          Effect.andThen(
            recover(files),
            Effect.suspend(() => files.wal.append([bytesOf("a commit of some bytes")]))
          )
        )
        if (what !== "log") {
          for (const { name } of yield* namesOn(disk, directory, /wal$/)) yield* disk.remove(at(name))
          yield* put(disk, `${what}-0000000000000009.${what === "table" ? "sst" : "val"}`, "x")
        }
        for (const { name } of yield* namesOn(disk, directory, /mark$/)) yield* disk.remove(at(name))
        const before = yield* names(disk)
        const reason = yield* reasonOf(opening(disk))
        assert.strictEqual(reason?._tag, "Corruption")
        assert.match(reason!.message, new RegExp(`${what}-.*no valid marker`))
        assert.deepStrictEqual(yield* names(disk), before)
      }
    })
  )
})

describe("FileManifest, reading", () => {
  it.effect("reads what was written by hand, and refuses what it does not know", () =>
    Effect.gen(function* () {
      assert.isTrue(yield* opening(yield* written([whole])))
      const cases: ReadonlyArray<readonly [Effect.Effect<DiskService, unknown>, RegExp]> = [
        [written([{ ...whole, requiredFeatures: ["time-travel"] }]), /needs time-travel/],
        [written([whole], { format: formatVersion + 1 }), /newer/],
        [written([{ ...whole, encryptionName: "aes" }]), /encryption "aes".*opened with "none"/]
      ]
      for (const [disk, message] of cases) {
        const reason = yield* reasonOf(opening(yield* disk))
        assert.strictEqual(reason?._tag, "Unsupported")
        assert.match(reason!.message, message)
      }
    })
  )

  it.effect("edits that cannot follow each other are Corruption", () =>
    Effect.gen(function* () {
      const table = tableMeta(2)
      for (const [edits, message] of [
        [[{ ...whole, snapshotEnd: undefined }], /no whole state/],
        [[whole, { removeTables: [2] }], /table 2 is removed and was not there/],
        [[whole, { addTables: [table] }, { addTables: [table] }], /table 2 is added twice/],
        [[whole, { addTables: [tableMeta(3)] }], /only numbers below 3/],
        [[{ ...whole, logNumberMin: 2 }, { logNumberMin: 1 }], /goes back from 2 to 1/],
        [[{ ...whole, epoch: 2 }], /epoch 2 in a file of epoch 1/]
      ] as const) {
        const reason = yield* reasonOf(opening(yield* written(edits)))
        assert.strictEqual(reason?._tag, "Corruption")
        assert.match(reason!.message, message)
      }
    })
  )

  it.effect("a manifest that is not the one its marker names, or is shorter than it says, is Corruption", () =>
    Effect.gen(function* () {
      for (const [marker, message] of [
        [{ manifestBytes: 1000 }, /published with 1000 bytes/],
        [{ manifestFileId: new Uint8Array(32) }, /not the manifest that the marker names/]
      ] as const) {
        const reason = yield* reasonOf(opening(yield* written([whole], { marker })))
        assert.match(`${reason?._tag} ${reason?.message}`, message)
        assert.strictEqual(reason?._tag, "Corruption")
      }
      // A marker under another number is what a power cut may leave of an older one: not valid.
      assert.isFalse(yield* opening(yield* written([whole], { number: 3 })))
    })
  )

  it.effect("an encrypted database needs its key, and a plain one takes none", () =>
    Effect.gen(function* () {
      const encryption = Layer.succeed(Encryption, encryptionWith(invertingFiles))
      const { disk } = yield* inDirectory()
      yield* Effect.scoped(Effect.flatMap(openFiles(disk, {}, { encryption }), ({ manifest }) => manifest.begin({})))
      const before = yield* names(disk)
      const reason = yield* reasonOf(opening(disk))
      assert.strictEqual(reason?._tag, "EncryptionKeyRequired")
      assert.match(reason!.message, /is encrypted; give the key/)
      assert.deepStrictEqual(yield* names(disk), before)
      assert.isTrue(yield* Effect.scoped(Effect.as(openFiles(disk, {}, { encryption }), true)))
      const plain = memory().disk
      yield* began(plain)
      assert.strictEqual(yield* tagOf(Effect.scoped(openFiles(plain, {}, { encryption }))), "NotEncrypted")
    })
  )

  it.effect("a valid marker with an invalid manifest is Corruption, even beside an older valid one", () =>
    Effect.gen(function* () {
      const { disk } = yield* inDirectory()
      yield* began(disk)
      const kept = yield* Effect.forEach(yield* names(disk), (name) =>
        Effect.map(contentOf(disk, at(name)), (bytes) => [name, bytes] as const)
      )
      yield* began(disk)
      const [manifest] = yield* namesOn(disk, directory, /man$/)
      for (const [name, bytes] of kept) yield* put(disk, name, bytes)
      assert.isTrue(yield* opening(disk))
      const bytes = yield* contentOf(disk, at(manifest!.name))
      for (const damaged of [
        bytes.slice(0, bytes.length - 1),
        bytes.map((byte, index) => (index === 120 ? byte ^ 4 : byte))
      ]) {
        yield* put(disk, manifest!.name, damaged)
        assert.strictEqual(yield* tagOf(opening(disk)), "Corruption")
      }
      yield* disk.remove(at(manifest!.name))
      const reason = yield* reasonOf(opening(disk))
      assert.match(`${reason!._tag} ${reason!.message}`, /Corruption.*is missing/)
    })
  )

  it.effect("a torn manifest record makes the store unopenable: it does not, at any length", () =>
    Effect.gen(function* () {
      const { disk } = yield* inDirectory()
      yield* began(disk, (manifest) => manifest.publish({ sequencesReserved: 1 }))
      const [manifest] = yield* namesOn(disk, directory, /man$/)
      yield* began(disk, (manifest) => manifest.publish({ sequencesReserved: 2 }))
      const [newest] = yield* namesOn(disk, directory, /man$/)
      assert.notStrictEqual(newest!.name, manifest!.name)
      const bytes = yield* contentOf(disk, at(newest!.name))
      const [, marker] = yield* names(disk).pipe(
        Effect.map((all) => [0, all.find((name) => name.endsWith("mark"))!] as const)
      )
      const published = new DataView((yield* contentOf(disk, at(marker))).buffer).getUint32(96 + 8, true)
      for (let length = published; length < bytes.length; length++) {
        yield* put(disk, newest!.name, bytes.slice(0, length))
        yield* session(disk, ({ manifest }) =>
          Effect.sync(() => assert.strictEqual(manifest.state().sequencesReserved, 1))
        )
      }
    })
  )
})

describe("FileManifest, writing", () => {
  it.effect("a manifest over its limit is rewritten, and the old one and its marker are gone", () =>
    Effect.gen(function* () {
      const { disk } = yield* inDirectory()
      yield* session(
        disk,
        ({ manifest }) =>
          Effect.gen(function* () {
            yield* manifest.begin({})
            const first = yield* names(disk)
            let bytesMax = 0
            for (let count = 1; count <= 50; count++) {
              yield* manifest.publish({ sequencesReserved: count })
              bytesMax = Math.max(bytesMax, manifest.bytes())
            }
            assert.isBelow(bytesMax, 600)
            const last = yield* names(disk)
            assert.strictEqual(last.length, first.length)
            for (const name of first) assert.notInclude(last, name)
          }).pipe(Effect.orDie),
        { manifestBytesMax: 256 }
      )
      yield* session(disk, ({ manifest }) =>
        Effect.sync(() => assert.strictEqual(manifest.state().sequencesReserved, 50))
      )
    })
  )

  it.effect("an edit still fits where a rewrite does not, and nothing follows torn bytes", () =>
    Effect.gen(function* () {
      const { calls, disk, failNext } = yield* inDirectory()
      yield* session(
        disk,
        ({ manifest }) =>
          Effect.gen(function* () {
            yield* manifest.begin({})
            const [open] = yield* namesOn(disk, directory, /man$/)
            const limit = Math.max(256, 2 * manifest.bytes())
            for (let count = 1; manifest.bytes() <= limit; count++)
              yield* manifest.publish({ sequencesReserved: count })
            failNext({ operation: "create", path: /man$/, code: "ENOSPC" })
            yield* manifest.publish({ sequencesReserved: 1000 })
            assert.deepStrictEqual(yield* namesOn(disk, directory, /man$/), [{ ...open!, bytes: manifest.bytes() }])
            failNext({ operation: "create", path: /man$/, code: "ENOSPC" })
            failNext({ operation: "append", path: /man$/, code: "ENOSPC", bytesAccepted: 9 })
            assert.strictEqual(yield* tagOf(manifest.publish({ sequencesReserved: 1001 })), "DiskFull")
            calls.length = 0
            yield* manifest.publish({ sequencesReserved: 1002 })
            assert.notInclude(calls, `append ${open!.name}`)
          }).pipe(Effect.orDie),
        { manifestBytesMax: 256 }
      )
      yield* session(disk, ({ manifest }) =>
        Effect.sync(() => assert.strictEqual(manifest.state().sequencesReserved, 1002))
      )
    })
  )

  it.effect("a refused rewrite leaves no file behind", () =>
    Effect.gen(function* () {
      for (const path of [/man$/, /mark$/]) {
        for (const operation of ["create", "append"] as const) {
          const { disk, failNext } = yield* inDirectory()
          const begin = (manifest: ManifestService) => manifest.begin({})
          failNext({ operation, path, code: "ENOSPC", bytesAccepted: 30 })
          assert.strictEqual(yield* tagOf(session(disk, ({ manifest }) => begin(manifest))), "DiskFull")
          assert.deepStrictEqual(yield* names(disk), [])
          yield* began(disk)
        }
      }
    })
  )

  it.effect("each failed sync or close on the way ends it, and nothing is removed", () =>
    Effect.gen(function* () {
      for (const [operation, path] of [
        ["sync", /man$/],
        ["sync", /mark$/],
        ["close", /mark$/],
        ["syncDirectory", /db$/]
      ] as const) {
        const { calls, disk, failNext } = yield* inDirectory()
        yield* began(disk)
        const before = yield* names(disk)
        calls.length = 0
        yield* session(disk, ({ manifest }) =>
          Effect.gen(function* () {
            failNext({ operation, path, code: "EIO" })
            assert.strictEqual(yield* tagOf(manifest.begin({})), "Poisoned", operation)
            assert.strictEqual(yield* tagOf(manifest.begin({})), "Poisoned", operation)
          })
        )
        assert.deepStrictEqual(
          calls.filter((call) => call.startsWith("remove")),
          []
        )
        assert.includeMembers(yield* names(disk), before)
        assert.isTrue(yield* opening(disk))
      }
    })
  )

  it.effect("what cannot be removed is left to the next open, and its manifest with it", () =>
    Effect.gen(function* () {
      const { disk, failNext } = yield* inDirectory()
      yield* began(disk)
      const old = yield* names(disk)
      failNext({ operation: "remove", path: /mark$/, code: "EBUSY" })
      yield* began(disk)
      assert.includeMembers(yield* names(disk), old)
      yield* began(disk)
      assert.strictEqual((yield* names(disk)).length, 2)
    })
  )

  it.effect("older markers are gone for good before the manifests that they name are removed", () =>
    Effect.gen(function* () {
      const { calls, disk } = yield* inDirectory()
      yield* began(disk)
      const [marker, manifest] = [(yield* names(disk))[0]!, (yield* names(disk))[1]!]
      calls.length = 0
      yield* began(disk)
      const from = calls.indexOf(`remove ${marker}`)
      // The marker's name and the database's own are durable by then.
      assert.deepStrictEqual(calls.slice(from - 2, from + 3), [
        "syncDirectory db",
        "syncDirectory ..",
        `remove ${marker}`,
        "syncDirectory db",
        `remove ${manifest}`
      ])
    })
  )

  it.effect("orphans are files of ours that nothing keeps", () =>
    Effect.gen(function* () {
      const { disk } = yield* inDirectory()
      yield* began(disk)
      const kept = [
        "log-0000000000000010.wal",
        "table-0000000000000011.sst",
        "value-0000000000000013.val",
        "ballast-0000000000000014.bal",
        "table-11.sst",
        "LOG-0000000000000010.wal"
      ]
      const gone = [
        "log-000000000000000f.wal",
        "table-0000000000000012.sst",
        "value-0000000000000011.val",
        "ballast-0000000000000010.bal"
      ]
      for (const name of [...kept, ...gone]) yield* put(disk, name)
      yield* began(disk, (manifest) =>
        Effect.gen(function* () {
          const count = yield* manifest.removeOrphans(
            (kind, number) => number === { log: 0x10, table: 0x11, value: 0x13, ballast: 0x14 }[kind]
          )
          assert.strictEqual(count, 4)
          assert.isAbove(manifest.allocateFileNumber(), 0x14)
        })
      )
      const left = yield* names(disk)
      assert.includeMembers(left, kept)
      for (const name of gone) assert.notInclude(left, name)
    })
  )

  it.effect("a clean shutdown is taken back by the next edit", () =>
    Effect.gen(function* () {
      const { disk } = yield* inDirectory()
      const cleanShutdown = { lastLsn: 3, lastSequence: 4 }
      yield* began(disk, (manifest) => manifest.publish({ cleanShutdown }))
      yield* session(disk, ({ manifest }) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(manifest.state().cleanShutdown, cleanShutdown)
          yield* manifest.begin({})
          assert.isUndefined(manifest.state().cleanShutdown)
        })
      )
    })
  )

  it.effect("an edit that cannot be is a defect, before a byte is written", () =>
    Effect.gen(function* () {
      const { calls, disk } = yield* inDirectory()
      yield* began(disk, (manifest) =>
        Effect.gen(function* () {
          calls.length = 0
          assert.isTrue(Exit.hasDies(yield* Effect.exit(manifest.publish({ removeTables: [77] }))))
          assert.isTrue(Exit.hasDies(yield* Effect.exit(manifest.publish({ addTables: [tableMeta(200)] }))))
          assert.deepStrictEqual(calls, [])
          yield* manifest.publish({ sequencesReserved: 1 })
        })
      )
    })
  )
})
