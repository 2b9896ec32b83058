import { assert, describe, it } from "@effect/vitest"
import { checksumSealer } from "../../../src/internal/format/sealer.ts"
import { Layout, sealBlock } from "../../../src/internal/format/storedBlock.ts"
import { type ValueIndexBlock, ValueIndexBuilder } from "../../../src/internal/format/valueIndex.ts"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { ValueFileAudit } from "../../../src/internal/structure/valueFileAudit.ts"
import type { ValueFileParts } from "../../../src/internal/structure/valueFileOpening.ts"
import { buildValues, openValues, type PlainValue } from "../../support/valueFiles.ts"
import { utf8 } from "../format/support.ts"

const values: ReadonlyArray<PlainValue> = [
  { id: 3, index: 0, key: "a", sequence: 1, value: utf8("first") },
  { id: 3, index: 1, key: "b", sequence: 2, value: utf8("second") },
  { id: 6, index: 0, key: "c", sequence: 3, value: utf8("third") }
]

const built = buildValues(values)
const parts = openValues(built)

/** The whole file, with the index blocks that are given in the place of its own. */
const audited = (given: (block: Uint8Array, section: number) => Uint8Array = (block) => block) => {
  const audit = new ValueFileAudit(parts)
  for (const [at, section] of parts.sections.entries()) {
    for (const block of section.blocks) {
      const stored = given(built.bytes.slice(block.offset, block.offset + block.bytes), at)
      const index = audit.index(block, stored)
      for (let position = 0; position < (index?.count ?? 0); position++) {
        const place = (index as ValueIndexBlock).at(position)
        audit.value(place, built.bytes, place.offset)
      }
    }
    audit.endSection(section)
  }
  const { top } = parts.footer
  audit.finish(built.bytes.slice(top.offset, top.offset + top.bytes))
  return audit
}

/** An index block of one entry, sealed as whoever writes the file seals it. */
const indexBlock = (of: ValueFileParts, section: number, offset: number): Uint8Array => {
  const builder = new ValueIndexBuilder()
  builder.add({ index: 0, offset, storedBytes: 10 })
  const at = of.sections[section]!.blocks[0]!.offset
  const sealed = { layout: Layout.valueIndex, fileTag: of.fileTag, offset: at, sealer: checksumSealer }
  return concatBytes(sealBlock({ ...sealed, plain: builder.finish()[0]!.plain }).chunks)
}

describe("the audit of a value file", () => {
  it("finds nothing in a sound one, and counts its values", () => {
    const { damage, values: count } = audited()
    assert.deepStrictEqual(damage, [])
    assert.strictEqual(count, values.length)
  })

  it("notes a section that does not begin where the one before it ends, and reads the rest", () => {
    const last = built.meta.sections.length - 1
    const begin = parts.footer.index.offset - 10
    const { damage, values: count } = audited((block, section) =>
      section === last ? indexBlock(parts, last, begin) : block
    )
    assert.strictEqual(count, 2)
    assert.match(damage[0]!.message, new RegExp(`a value at ${begin}, due at`))
  })
})
