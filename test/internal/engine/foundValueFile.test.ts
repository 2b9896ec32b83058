// A value file that only a commit of the log names: whoever put another in its place is found out.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type FileHeader, fileHeaderBytes, fileTagOf } from "../../../src/internal/format/fileHeader.ts"
import { valueFileName } from "../../../src/internal/format/fileName.ts"
import { checksumSealer, type Sealer } from "../../../src/internal/format/sealer.ts"
import { valueFooterBytes } from "../../../src/internal/format/valueFile.ts"
import * as MemoryDisk from "../../../src/layers/MemoryDisk.ts"
import { DiskError } from "../../../src/services/Disk.ts"
import type { Reason } from "../../../src/services/DatabaseError.ts"
import { filesWith } from "../../support/encryptions.ts"
import * as memoryManifest from "../../support/memoryManifest.ts"
import { reasonOf } from "../../support/scenario.ts"
import { builderOf, buildValues, type PlainValue } from "../../support/valueFiles.ts"
import { openValueLogs } from "../../support/valueLogs.ts"
import { invertingSealer, testHeader, utf8 } from "../format/support.ts"

const number = testHeader().fileNumber
const epoch = 2
const path = `/db/${valueFileName(number)}`
const own: PlainValue = { id: number, index: 0, key: "k", sequence: 0, value: utf8("of a commit") }
const tag = fileTagOf(testHeader().fileId)

interface Given {
  readonly header?: Partial<FileHeader>
  readonly values?: ReadonlyArray<PlainValue>
  readonly sealer?: Sealer
  /** How many of the file's bytes there are. */
  readonly left?: number
}

const finding = (
  { header, left, sealer = checksumSealer, values = [own] }: Given,
  fileTag: number | undefined = tag
) => {
  const built = buildValues(values, builderOf(sealer, { epoch, ...header }))
  const { disk } = MemoryDisk.fromImage(new Map([[path, built.bytes.slice(0, left ?? built.bytes.length)]]))
  const encryption = sealer === checksumSealer ? undefined : filesWith(sealer)
  const manifest = memoryManifest.make("/db", { epoch: epoch - 1 }, encryption)
  return Effect.flatMap(openValueLogs({ disk, manifest }), (logs) => logs.values.find(number, fileTag))
}

const refused = Effect.fnUntraced(function* (given: Given, expected: Partial<Reason>, word: RegExp) {
  const reason = yield* reasonOf(finding(given))
  assert.deepInclude(reason, { file: path, ...expected })
  assert.match(reason.message, word)
})

describe("a value file that a commit names", () => {
  it.effect("is the one of its tag, or of any where the handle names none", () =>
    Effect.gen(function* () {
      assert.deepInclude((yield* finding({})).meta, { number, epoch })
      assert.deepInclude((yield* finding({}, undefined)).meta, { number })
      assert.deepInclude((yield* finding({ sealer: invertingSealer })).meta, { number })
    })
  )

  it.effect("of another incarnation, epoch or id than the commit's is Corruption", () =>
    Effect.gen(function* () {
      const damage = { _tag: "Corruption" } as const
      yield* refused({ header: { incarnation: new Uint8Array(16) } }, damage, /incarnation/)
      yield* refused({ header: { databaseId: new Uint8Array(16) } }, damage, /database/)
      yield* refused({ header: { fileNumber: 8 } }, damage, /value file 8/)
      yield* refused({ header: { epoch: epoch + 1 } }, damage, /epoch 3/)
      yield* refused({ header: { fileId: new Uint8Array(32) } }, damage, /that the commit names/)
      yield* refused(
        { header: { fileId: new Uint8Array(32) }, sealer: invertingSealer },
        { _tag: "Tampered" },
        /commit/
      )
    })
  )

  it.effect("with values of another file, or of several files, is Corruption", () =>
    Effect.gen(function* () {
      const damage = { _tag: "Corruption" } as const
      yield* refused({ values: [{ ...own, id: 8 }] }, damage, /another file/)
      yield* refused({ values: [own, { ...own, id: 8 }] }, damage, /another file/)
    })
  )

  it.effect("that cannot be opened now is not taken for damage", () =>
    Effect.gen(function* () {
      const { disk } = MemoryDisk.make()
      const open = (file: string) => Effect.fail(new DiskError({ operation: "open", file, code: "EMFILE" }))
      const logs = yield* openValueLogs({ disk: { ...disk, open }, manifest: memoryManifest.make("/db") })
      assert.deepInclude(yield* reasonOf(logs.values.find(number, tag)), { _tag: "Io", code: "EMFILE", file: path })
    })
  )

  it.effect("that is cut is Corruption, wherever it is", () =>
    Effect.gen(function* () {
      const least = fileHeaderBytes + valueFooterBytes(checksumSealer.tagBytes)
      for (const left of [0, 1, fileHeaderBytes - 1, fileHeaderBytes, least - 1, least, least + 10]) {
        const reason = yield* reasonOf(finding({ left }))
        assert.deepInclude(reason, { _tag: "Corruption", file: path }, `${left} bytes: ${reason.message}`)
        if (left < least - fileHeaderBytes) assert.match(reason.message, /cut off/)
      }
    })
  )
})
