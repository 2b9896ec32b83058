// What no crash leaves behind, only damage or a hand: files that are sound by themselves and in the wrong place.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { commitHeaderBytes, writeCommitHeader } from "../../../src/internal/format/commit.ts"
import { decodeFileHeader, encodeFileHeader, FileKind } from "../../../src/internal/format/fileHeader.ts"
import { logFileName } from "../../../src/internal/format/fileName.ts"
import { recordBytes, recordFields, writeRecord } from "../../../src/internal/format/record.ts"
import * as MemoryDisk from "../../../src/layers/MemoryDisk.ts"
import { contentOf, namesOn, replaceFile } from "../../support/faultyDisk.ts"
import { bytesOf, directory, reasonOf, recover, replayed, session } from "../../support/fileSession.ts"
import { open, quiet } from "../../support/opened.ts"

const commit = (sequence: number, key: string): Uint8Array => {
  const fields = recordFields({ key: bytesOf(key), value: bytesOf("value") })
  const bytes = new Uint8Array(commitHeaderBytes + recordBytes(fields))
  writeCommitHeader(bytes, 0, { bytes: bytes.length, count: 1, sequence, commitMillis: 1 })
  writeRecord(bytes, commitHeaderBytes, fields)
  return bytes
}

describe("logReplay", () => {
  it.effect("a segment of an earlier epoch among those that are live is Corruption", () =>
    Effect.gen(function* () {
      const { disk } = MemoryDisk.make()
      const live = Effect.orDie(
        session(disk, (files) => Effect.flatMap(recover(files), () => files.wal.append([bytesOf("word;")])))
      )
      yield* live
      yield* live
      const log = (yield* namesOn(disk, directory, /\.wal$/)).find((file) => file.bytes > 96)
      const bytes = yield* contentOf(disk, `${directory}/${log!.name}`)
      const header = decodeFileHeader(bytes, FileKind.log)
      const older = bytes.slice()
      older.set(encodeFileHeader({ ...header, epoch: header.epoch - 1, fileNumber: 1000 }))
      yield* replaceFile(disk, `${directory}/${logFileName(1000)}`, older)
      const reason = yield* reasonOf(session(disk, ({ wal }) => replayed(wal), { readOnly: true }))
      assert.strictEqual(reason?._tag, "Corruption")
      assert.match(reason!.message, /epoch/)
    })
  )
})

describe("recovery", () => {
  it.effect("of a record that a later version wrote is Unsupported", () =>
    Effect.gen(function* () {
      const { disk, layer } = MemoryDisk.make()
      const later = commit(5, "k")
      later[commitHeaderBytes] = 0x7f
      yield* Effect.orDie(session(disk, (files) => Effect.flatMap(recover(files), () => files.wal.append([later]))))
      const reason = yield* reasonOf(quiet(Effect.scoped(open(layer, {}))))
      assert.strictEqual(reason?._tag, "Unsupported", reason?.message)
      assert.match(reason!.message, /unknown record kind/)
    })
  )

  for (const [name, sequences] of [
    ["twice the same", [5, 5]],
    ["going back", [5, 4]]
  ] as const) {
    it.effect(`commits whose sequences are ${name} are Corruption`, () =>
      Effect.gen(function* () {
        const { disk, layer } = MemoryDisk.make()
        yield* Effect.orDie(
          session(disk, (files) =>
            Effect.flatMap(recover(files), () => files.wal.append(sequences.map((sequence) => commit(sequence, "k"))))
          )
        )
        const reason = yield* reasonOf(quiet(Effect.scoped(open(layer, {}))))
        assert.strictEqual(reason?._tag, "Corruption")
        assert.match(reason!.message, /commit/)
      })
    )
  }
})
