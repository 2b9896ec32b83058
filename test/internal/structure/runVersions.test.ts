import { assert, describe, it } from "@effect/vitest"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { checksumSealer } from "../../../src/internal/format/sealer.ts"
import { Layout, openBlock, sealBlock } from "../../../src/internal/format/storedBlock.ts"
import type { TableMeta } from "../../../src/internal/format/tableMeta.ts"
import { FileDamage } from "../../../src/internal/structure/fileDamage.ts"
import { type RunTable, RunVersions } from "../../../src/internal/structure/runVersions.ts"
import { TableOpening } from "../../../src/internal/structure/tableOpening.ts"
import type { KeySpan } from "../../../src/internal/structure/versionSource.ts"
import { Step } from "../../../src/internal/structure/versionSource.ts"
import { header, splitRun, tableOf } from "../../support/jobPlan.ts"
import { numbered, randomTable } from "../../support/tables.ts"
import { fromView, latin1, type Plain } from "../format/entries.ts"
import { manySeeds } from "../format/support.ts"

const opened = (meta: TableMeta, bytes: Uint8Array): RunTable => {
  const { databaseId } = header
  const opening = new TableOpening({
    meta,
    fileBytes: bytes.length,
    databaseId,
    withFilter: false,
    withPartitions: true
  })
  for (let request = opening.next(); request !== undefined; request = opening.next()) {
    const { _tag } = request
    opening.feed(_tag === "Sealer" ? checksumSealer : bytes.slice(request.offset, request.offset + request.length))
  }
  return { meta, parts: opening.opened }
}

interface File {
  readonly table: RunTable
  readonly bytes: Uint8Array
}

const fileOf = (points: ReadonlyArray<Plain>, number: number, blockBytes: number): File => {
  const { bytes, meta } = tableOf({ points, removals: [] }, { number, blockBytes })
  return { table: opened(meta, bytes), bytes }
}

interface Reading {
  readonly span: KeySpan
  readonly readBytes: number
}

/** All versions, and the lengths of the reads. One buffer for all of them, as a worker has it. */
const readRun = (files: ReadonlyArray<File>, { readBytes, span }: Reading) => {
  const tables = files.map(({ table }) => table)
  const source = new RunVersions({ tables, span, lane: 0, readBytesMax: readBytes })
  const found: Array<Plain> = []
  const reads: Array<number> = []
  const buffer = new Uint8Array(Math.max(0, ...files.map(({ bytes }) => bytes.length)))
  for (let step = source.advance(); step !== Step.end; step = source.advance()) {
    if (step === Step.version) {
      found.push(fromView(source.entry))
      continue
    }
    const request = source.request()
    if (request._tag !== "Read") throw new Error("it reads")
    const { bytes } = files.find(({ table }) => table.meta.number === request.file.number)!
    buffer.fill(0xee)
    buffer.set(bytes.subarray(request.offset, request.offset + request.length))
    reads.push(request.length)
    source.feed(buffer.subarray(0, request.length))
  }
  assert.strictEqual(source.advance(), Step.end)
  return { found, reads }
}

const everything: KeySpan = { from: undefined, to: undefined }

describe("the versions of a run", () => {
  it("are those of its tables with keys in the span", () => {
    manySeeds(150, (dice) => {
      const points = randomTable(dice, { count: dice.below(60), large: false })
      const names = [...new Set(points.map(({ key }) => key))]
      const cuts = names.filter(() => dice.chance(0.1))
      const blockBytes = dice.pick([64, 300, 4096])
      const files = splitRun({ points, removals: [] }, cuts).map((held, index) =>
        fileOf(held.points, index + 1, blockBytes)
      )
      const ends = [undefined, "", "zzzzzzzzzz", ...names, ...names.map((name) => `${name}\0`)]
      const [from, to] = [dice.pick(ends), dice.pick(ends)]
      const span = {
        from: from === undefined ? undefined : latin1(from),
        to: to === undefined ? undefined : latin1(to)
      }
      const { found } = readRun(files, { span, readBytes: dice.pick([1, 500, 2 ** 18]) })
      const expected = points.filter(({ key }) => (from === undefined || key >= from) && (to === undefined || key < to))
      assert.deepStrictEqual(found, expected)
    })
  })

  it("are read many blocks at a time, and of a span no more than its blocks", () => {
    const file = fileOf(numbered(2000, 100), 1, 1024)
    const { reads } = readRun([file], { span: everything, readBytes: 64 * 1024 })
    assert.isAtMost(Math.max(...reads), 64 * 1024)
    assert.strictEqual(reads.length, Math.ceil(file.table.parts.footer.blocksBytes / (63 * 1024)))
    const one = latin1("key-00001000")
    const narrow = readRun([file], { span: { from: one, to: latin1("key-00001001") }, readBytes: 64 * 1024 })
    assert.deepStrictEqual(
      narrow.found.map(({ key }) => key),
      ["key-00001000"]
    )
    assert.isAtMost(
      narrow.reads.reduce((sum, length) => sum + length, 0),
      2200
    )
  })

  it("name the table and the place of damage, wherever it is in a block", () => {
    const { bytes, table } = fileOf(numbered(12, 10), 7, 100)
    const { lengths, offsets } = table.parts.index
    for (let place = 96; place < 96 + table.parts.footer.blocksBytes; place++) {
      const damaged = bytes.slice()
      damaged[place]! ^= 0x20
      const block = offsets.findLastIndex((offset) => offset <= place)
      try {
        readRun([{ table, bytes: damaged }], { span: everything, readBytes: 1000 })
        assert.fail(`byte ${place}`)
      } catch (error) {
        if (!(error instanceof FileDamage)) throw error
        assert.deepInclude(
          { number: error.file.number, offset: error.error.offset },
          { number: 7, offset: offsets[block]! }
        )
      }
    }
    assert.isAbove(lengths.length, 3)
  })

  it("are refused from a block that is sound and not what the index says", () => {
    const { bytes, table } = fileOf(numbered(12, 10), 7, 100)
    const { lengths, offsets } = table.parts.index
    const changed = (block: number, change: (plain: Uint8Array) => void): Uint8Array => {
      const place = {
        layout: Layout.entries,
        fileTag: table.parts.fileTag,
        offset: offsets[block]!,
        sealer: checksumSealer
      }
      const plain = openBlock({ ...place, bytes, start: offsets[block]!, length: lengths[block]! }).slice()
      change(plain)
      const copy = bytes.slice()
      copy.set(concatBytes(sealBlock({ ...place, plain }).chunks), offsets[block])
      return copy
    }
    // The first byte of the first key, and of the last one.
    const first = changed(1, (plain) => void (plain[1] = 0x20))
    const last = changed(1, (plain) => void (plain[Buffer.from(plain).lastIndexOf("key-")] = 0x7a))
    assert.throws(
      () => readRun([{ table, bytes: first }], { span: everything, readBytes: 1 }),
      /begins before what is due/
    )
    assert.throws(
      () => readRun([{ table, bytes: last }], { span: everything, readBytes: 1 }),
      /does not end with the key/
    )
  })
})
