import { assert, describe, it } from "@effect/vitest"
import { BlockBuilder } from "../../../src/internal/format/block.ts"
import { crc32 } from "../../../src/internal/format/checksum.ts"
import { hashKey, hashKeyHigh } from "../../../src/internal/format/compare.ts"
import { FilterBuilder } from "../../../src/internal/format/filter.ts"
import { FormatError } from "../../../src/internal/format/formatError.ts"
import { Kind } from "../../../src/internal/format/record.ts"
import type { Footer, RangeRemoval } from "../../../src/internal/format/table.ts"
import { TableIndex, TableIndexBuilder } from "../../../src/internal/format/tableIndex.ts"
import type { TableMeta } from "../../../src/internal/format/tableMeta.ts"
import type { FileRefs } from "../../../src/internal/format/valueRefs.ts"
import { TableAudit } from "../../../src/internal/structure/tableAudit.ts"
import { finished, handleText, latin1, type Plain, plain, toView } from "../format/entries.ts"

type Blocks = ReadonlyArray<ReadonlyArray<Plain>>

const sound: Blocks = [
  [plain("a", { sequence: 9 }), plain("a", { sequence: 5 }), plain("b", { kind: Kind.remove, sequence: 7 })],
  [plain("b", { sequence: 3 }), plain("c", { sequence: 4 })],
  [plain("d", { sequence: 8 })]
]

interface Given {
  readonly blocks?: Blocks
  /** What the index says that the blocks end with; by default what they end with. */
  readonly lastKeys?: ReadonlyArray<string>
  readonly meta?: Partial<TableMeta>
  readonly footer?: Partial<Footer>
  readonly filtered?: ReadonlyArray<string>
  readonly rangeRemovals?: ReadonlyArray<RangeRemoval>
  readonly valueRefs?: ReadonlyArray<FileRefs>
}

const tags = [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5, 6, 7, 8), Uint8Array.of(9, 10, 11, 12)]

const filterOf = (keys: ReadonlyArray<string>): Uint8Array | undefined => {
  const builder = new FilterBuilder()
  for (const key of keys.map(latin1)) builder.add(hashKey(key, 0, key.length), hashKeyHigh(key, 0, key.length))
  return builder.finish(10)
}

const blockOf = (entries: ReadonlyArray<Plain>): Uint8Array => {
  const builder = new BlockBuilder()
  for (const entry of entries) builder.add(toView(entry))
  return finished(builder)
}

/** Audits blocks of 100 stored bytes each; `skipped` are those that could not be read. */
const audit = (given: Given, skipped: ReadonlyArray<number> = []): TableAudit => {
  const blocks = given.blocks ?? sound
  const lastKeys = given.lastKeys ?? blocks.map((entries) => entries.at(-1)!.key)
  const index = new TableIndexBuilder()
  for (const key of lastKeys.map(latin1)) index.add(100, key, 0, key.length)
  const meta = { smallest: latin1("a"), sequenceMin: 3, sequenceMax: 9, ...given.meta } as TableMeta
  const footer = {
    entryCount: 6,
    removeCount: 1,
    blockTagsCrc: tags.reduce((crc, tag) => crc32(tag, crc), 0),
    valueRefs: { offset: 800, bytes: 100 },
    properties: { offset: 900, bytes: 50 },
    ...given.footer
  } as Footer
  const filter = filterOf(given.filtered ?? ["a", "b", "c", "d"])
  const { rangeRemovals = [], valueRefs = [] } = given
  const table = {
    footer,
    filter,
    rangeRemovals,
    valueRefs,
    index: TableIndex.open(index.finish(), 100 * blocks.length)
  }
  const audit = new TableAudit(meta, table)
  for (const [ordinal, entries] of blocks.entries()) {
    if (skipped.includes(ordinal)) audit.skip(ordinal, "unreadable")
    else audit.block(ordinal, tags[ordinal]!, () => blockOf(entries))
  }
  audit.finish()
  return audit
}

const only = (found: TableAudit, offset: number, message: RegExp): void => {
  assert.lengthOf(found.damage, 1, JSON.stringify(found.damage))
  assert.strictEqual(found.damage[0]!.offset, offset)
  assert.match(found.damage[0]!.message, message)
}

const replaced = (ordinal: number, entries: ReadonlyArray<Plain>): Blocks =>
  sound.map((block, index) => (index === ordinal ? entries : block))

describe("TableAudit", () => {
  it("finds nothing in a sound table, with a filter and without", () => {
    const found = audit({})
    assert.deepStrictEqual(found.damage, [])
    assert.strictEqual(found.entries, 6)
    assert.deepStrictEqual(audit({ filtered: [] }).damage, [])
  })

  it("entries of a block that are out of order", () => {
    const [first, second] = [plain("b", { sequence: 3 }), plain("c", { sequence: 4 })]
    only(audit({ blocks: replaced(1, [second, first]) }), 196, /block 1: .*out of order/)
    only(audit({ blocks: replaced(1, [first, first, second]) }), 196, /block 1: .*out of order/)
  })

  it("a block that begins below the one before, or with a version that is due earlier", () => {
    only(
      audit({ blocks: replaced(1, [plain("a", { sequence: 3 }), plain("c", { sequence: 4 })]) }),
      196,
      /begins before/
    )
    only(
      audit({ blocks: replaced(1, [plain("b", { sequence: 7 }), plain("c", { sequence: 4 })]) }),
      196,
      /begins before/
    )
    only(audit({ meta: { smallest: latin1("aa") } }), 96, /block 0: .*begins before/)
  })

  it("a block that does not end with the index's key", () => {
    only(audit({ lastKeys: ["b", "cc", "d"] }), 196, /block 1: .*does not end/)
    only(audit({ lastKeys: ["b", "c", "dd"] }), 296, /block 2: .*does not end/)
  })

  it("a sequence that the table does not have", () => {
    only(audit({ meta: { sequenceMin: 4 } }), 196, /block 1: sequence 3/)
    only(audit({ meta: { sequenceMax: 8 } }), 96, /block 0: sequence 9/)
  })

  it("a key that the filter denies", () => only(audit({ filtered: ["a", "b", "c"] }), 296, /block 2: the filter/))

  it("counts that are not the footer's", () => {
    only(audit({ footer: { entryCount: 7 } }), 950, /6 entries/)
    only(audit({ footer: { removeCount: 0 } }), 950, /1 removes/)
    only(audit({ footer: { blockTagsCrc: 0 } }), 950, /tags/)
  })

  it("range removals, which count as entries and as removes", () => {
    const rangeRemovals = [{ from: latin1("a"), to: latin1("e"), sequence: 4 }]
    const found = audit({ rangeRemovals, footer: { entryCount: 7, removeCount: 2 } })
    assert.deepStrictEqual(found.damage, [])
    assert.strictEqual(found.entries, 7)
    only(audit({ rangeRemovals }), 950, /7 entries and 2 removes/)
  })

  it("entries that name other values than the table says", () => {
    const named = (...indexes: ReadonlyArray<number>): Blocks =>
      replaced(
        1,
        indexes.map((index, at) =>
          plain(["b", "c"][at]!, {
            kind: Kind.valueHandle,
            sequence: 3,
            value: handleText({ file: 9, index, length: 5 })
          })
        )
      )
    const refs = (bytes: number, ...indexes: ReadonlyArray<number>): FileRefs => ({
      file: 9,
      indexes: Uint32Array.from(indexes),
      bytes
    })
    assert.deepStrictEqual(audit({ blocks: named(4, 2), valueRefs: [refs(10, 2, 4)] }).damage, [])
    const others = [[], [refs(5, 2)], [refs(11, 2, 4)], [refs(10, 2, 3)], [{ ...refs(10, 2, 4), file: 8 }]]
    for (const valueRefs of others) only(audit({ blocks: named(4, 2), valueRefs }), 800, /other values/)
    only(audit({ blocks: named(4, 4), valueRefs: [refs(10, 4)] }), 800, /other values/)
    only(
      audit({
        blocks: replaced(1, [plain("b", { sequence: 3 }), plain("c", { kind: Kind.valueHandle, sequence: 3 })])
      }),
      196,
      /cut/
    )
  })

  it("goes on behind a block that cannot be used, from what the index says of it", () => {
    for (const skipped of [0, 1, 2]) only(audit({}, [skipped]), 96 + 100 * skipped, /unreadable/)
    assert.lengthOf(audit({}, [0, 2]).damage, 2)
    assert.strictEqual(audit({}, [1]).entries, 4)
    const early = audit({ blocks: replaced(2, [plain("bb", { sequence: 8 }), plain("d", { sequence: 8 })]) }, [1])
    assert.lengthOf(early.damage, 2)
    // Older versions of the key that the lost block ended with: which of them are due is not known.
    const versions = audit({ blocks: replaced(2, [plain("c", { sequence: 8 }), plain("d", { sequence: 8 })]) }, [1])
    only(versions, 196, /unreadable/)
  })

  it("a block that does not open is damage, a bug is not", () => {
    const opening = (error: Error) => () => {
      throw error
    }
    const found = audit({})
    found.block(1, tags[1]!, opening(new FormatError("the checksum does not match", 0)))
    only(found, 196, /block 1: the checksum/)
    assert.throws(() => found.block(1, tags[1]!, opening(new TypeError("bug"))), TypeError)
  })
})
