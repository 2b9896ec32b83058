import { assert, describe, it } from "@effect/vitest"
import { type Codec, Codecs } from "../../../src/internal/format/codec.ts"
import { fileHeaderBytes } from "../../../src/internal/format/fileHeader.ts"
import { checksumSealer, withCodecs } from "../../../src/internal/format/sealer.ts"
import type { TableMeta } from "../../../src/internal/format/tableMeta.ts"
import { zstd } from "../../../src/internal/format/zstd.ts"
import { codecs } from "../../support/codecs.ts"
import { checkTables, workOf } from "../../support/jobCheck.ts"
import { MemoryFiles } from "../../support/jobDriver.ts"
import { type Held, randomPlan, setupOf, tableOf } from "../../support/jobPlan.ts"
import { numbered } from "../../support/tables.ts"
import { Dice, manySeeds } from "../format/support.ts"

const filesOf = (): MemoryFiles => {
  const files = new MemoryFiles()
  files.sealer = withCodecs(checksumSealer, new Codecs(codecs))
  return files
}

const work = {
  memtables: [],
  runs: [],
  from: undefined,
  to: undefined,
  level: 6,
  snapshots: [5000],
  nowMillis: 0,
  deeper: [],
  grandparents: [],
  tableBytesMax: 2 ** 20,
  values: undefined
}

/** One table written again by a job. */
const rewritten = (held: Held, to: Codec | undefined, from?: Codec) => {
  const files = filesOf()
  const input = tableOf(held, { number: 1, blockBytes: 4096, codec: from })
  files.files.set(1, input.bytes)
  const setup = setupOf({ blockBytes: 4096, indexBytesMax: 2 ** 20, tableCodec: to?.id ?? 0 })
  const [meta] = files.run({ ...work, runs: [[input.meta]] }, setup)
  return { input, meta: meta!, bytes: files.files.get(meta!.number)!, held: files.held(meta!) }
}

describe.each(codecs)("a job that compresses by $name", (codec) => {
  it("keeps what a snapshot sees, of inputs of every codec", () => {
    let compressed = 0
    manySeeds(150, (dice) => {
      const plan = { ...randomPlan(dice), blockBytes: dice.pick([128, 1000, 4096]) }
      const files = filesOf()
      let number = 0
      const place = (held: Held): TableMeta => {
        number += 1
        const from = dice.pick([undefined, ...codecs])
        const { bytes, meta } = tableOf(held, { number, blockBytes: plan.blockBytes, codec: from })
        files.files.set(number, bytes)
        return meta
      }
      const job = workOf(plan, place)
      const metas = files.run(job, setupOf({ blockBytes: plan.blockBytes, tableCodec: codec.id }))
      checkTables(plan, job, { metas, held: metas.map((meta) => files.held(meta)) })
      for (const meta of metas) {
        assert.strictEqual(meta.codec, codec.id)
        const plain = tableOf(files.held(meta), { number: meta.number, blockBytes: plan.blockBytes })
        if (meta.bytes < plain.bytes.length) compressed += 1
      }
    })
    assert.isAbove(compressed, 30)
  })

  it("makes shorter tables, of which the filter, the properties and the footer are as they were", () => {
    const held = { points: numbered(2000, 200), removals: [] }
    const { bytes, input, meta } = rewritten(held, codec)
    assert.isBelow(meta.bytes, input.meta.bytes / 2)
    const footer = bytes.subarray(-70)
    const at = (offset: number) => new DataView(footer.buffer, footer.byteOffset).getUint32(offset, true)
    const codecAt = (end: number): number => bytes[end - 9]!
    const filterEnd = fileHeaderBytes + at(0) + at(8)
    assert.strictEqual(codecAt(filterEnd), 0)
    // An index of keys has no runs.
    assert.strictEqual(codecAt(filterEnd + at(12) + at(16)), codec.name === "runs" ? 0 : codec.id)
    assert.strictEqual(codecAt(bytes.length - 70), 0)
  })

  it("makes longer blocks where they get shorter, and there alone", () => {
    const noise = new Dice(1)
    const points = numbered(3000, 100).map((point, index) =>
      index < 1500 ? point : { ...point, value: Buffer.from(noise.bytes(100)).toString("latin1") }
    )
    const files = filesOf()
    const input = tableOf({ points, removals: [] }, { number: 1 })
    files.files.set(1, input.bytes)
    const setup = setupOf({ blockBytes: 1024, compressedBlockBytes: 4096, tableCodec: codec.id })
    const [meta] = files.run({ ...work, runs: [[input.meta]] }, setup)
    const lengths = files.blocksOf(meta!)
    const half = lengths.findLastIndex(({ codec: id }) => id !== 0)
    assert.isAbove(Math.min(...lengths.slice(0, half - 1).map(({ plainLength }) => plainLength)), 3000)
    const rest = lengths.slice(half + 3)
    assert.isAbove(rest.length, 100)
    assert.isAtMost(Math.max(...rest.map(({ plainLength }) => plainLength)), 1100)
  })

  it("writes the bytes of no codec again when there is none any more", () => {
    const held = { points: numbered(300, 100), removals: [] }
    const back = rewritten(held, undefined, codec)
    const plain = rewritten(held, undefined)
    assert.isBelow(back.input.meta.bytes, plain.input.meta.bytes)
    assert.deepStrictEqual(back.held, plain.held)
    assert.strictEqual(Buffer.compare(back.bytes, plain.bytes), 0)
    assert.strictEqual(back.meta.codec, 0)
  })
})

describe("a job without a codec of a table", () => {
  it("fails for it by its number, as for what a later version wrote", () => {
    const runs = codecs.find(({ name }) => name === "runs")!
    const files = filesOf()
    const { bytes, meta } = tableOf({ points: numbered(100, 300), removals: [] }, { number: 1, codec: runs })
    files.files.set(1, bytes)
    files.sealer = withCodecs(checksumSealer, new Codecs([zstd]))
    assert.throws(() => files.run({ ...work, runs: [[meta]] }, setupOf()), /unknown codec 64/)
  })
})
