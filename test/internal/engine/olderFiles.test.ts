import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { OlderFiles } from "../../../src/internal/engine/olderFiles.ts"
import { encodeFileHeader, FileKind, formatVersion } from "../../../src/internal/format/fileHeader.ts"
import {
  keyringFileName,
  logFileName,
  manifestFileName,
  markerFileName,
  tableFileName,
  valueFileName
} from "../../../src/internal/format/fileName.ts"
import * as SimDisk from "../../../src/layers/SimDisk.ts"
import { simulate } from "../../support/scenario.ts"

const header = (kind: FileKind, keyGeneration: number, fileNumber: number): Uint8Array =>
  encodeFileHeader({
    format: formatVersion,
    kind,
    tagBytes: 20,
    keyGeneration,
    epoch: 1,
    fileNumber,
    databaseId: new Uint8Array(16),
    incarnation: new Uint8Array(16),
    fileId: new Uint8Array(32)
  })

const image = (): Map<string, Uint8Array> =>
  new Map([
    [`/db/${logFileName(1)}`, header(FileKind.log, 2, 1)],
    [`/db/${tableFileName(2)}`, header(FileKind.table, 1, 2)],
    [`/db/${valueFileName(3)}`, header(FileKind.valueFile, 3, 3)],
    [`/db/${manifestFileName(4)}`, header(FileKind.manifest, 3, 4)],
    [`/db/${markerFileName(5)}`, header(FileKind.marker, 2, 5)],
    [`/db/${keyringFileName(6)}`, header(FileKind.keyring, 0, 6)],
    ["/db/other", new Uint8Array(200)],
    ["/db/lock-0.sock", new Uint8Array(0)]
  ])

const found = (files: OlderFiles, numberMin = 0) =>
  Effect.map(Effect.orDie(files.find({ generation: 3, numberMin })), (older) =>
    older.map(({ keyGeneration, number }) => `${number}:${keyGeneration}`).sort()
  )

describe("the files of older keys", () => {
  it("are told by their headers, whatever the kind; keyrings and foreign files are none", () => {
    const { disk } = SimDisk.make({ image: image() })
    assert.deepStrictEqual(simulate(found(new OlderFiles({ directory: "/db", disk }))), ["1:2", "2:1", "5:2"])
  })

  it("are looked at once, and forgotten when they are gone", () => {
    const device = SimDisk.make({ image: image() })
    const files = new OlderFiles({ directory: "/db", disk: device.disk })
    simulate(
      Effect.gen(function* () {
        yield* found(files)
        const reads = device.log.length
        yield* Effect.orDie(device.disk.remove(`/db/${tableFileName(2)}`))
        assert.deepStrictEqual(yield* found(files), ["1:2", "5:2"])
        assert.deepStrictEqual(
          device.log.slice(reads).map(({ operation }) => operation),
          ["remove", "list"]
        )
      })
    )
    assert.deepStrictEqual(device.openHandles(), [])
  })

  it("without a whole header count as the oldest, unless their numbers are new", () => {
    const torn = image()
    torn.set(`/db/${tableFileName(7)}`, new Uint8Array(0))
    torn.set(`/db/${valueFileName(8)}`, header(FileKind.valueFile, 3, 8).fill(1, 0, 4))
    torn.set(`/db/${tableFileName(9)}`, new Uint8Array(10))
    const { disk } = SimDisk.make({ image: torn })
    const all = simulate(found(new OlderFiles({ directory: "/db", disk }), 9))
    assert.deepStrictEqual(all, ["1:2", "2:1", "5:2", "7:0", "8:0"])
  })

  it("are looked at again while they have no header: a value file may be in the making when the key changes", () => {
    const { disk } = SimDisk.make({ image: image() })
    const files = new OlderFiles({ directory: "/db", disk })
    simulate(
      Effect.gen(function* () {
        const file = yield* Effect.orDie(disk.create(`/db/${valueFileName(7)}`))
        assert.deepStrictEqual(yield* found(files, 9), ["1:2", "2:1", "5:2", "7:0"])
        yield* Effect.orDie(file.append([header(FileKind.valueFile, 3, 7)]))
        assert.deepStrictEqual(yield* found(files, 9), ["1:2", "2:1", "5:2"])
        yield* Effect.orDie(file.close)
      })
    )
  })

  it("may go while they are looked for; a disk that fails is told", () => {
    const device: SimDisk.SimDisk = SimDisk.make({
      image: image(),
      onOperation: (_, operation) => {
        if (operation === "list") device.files.remove(`/db/${tableFileName(2)}`)
      }
    })
    const files = new OlderFiles({ directory: "/db", disk: device.disk })
    assert.deepStrictEqual(simulate(found(files)), ["1:2", "5:2"])
    const failing = SimDisk.make({
      image: image(),
      faults: [{ code: "EIO", match: (operation) => operation === "read" }]
    })
    const reason = simulate(
      Effect.flip(new OlderFiles({ directory: "/db", disk: failing.disk }).find({ generation: 3, numberMin: 0 }))
    )
    assert.strictEqual(reason.reason._tag, "Io")
    assert.deepStrictEqual(failing.openHandles(), [])
  })
})
