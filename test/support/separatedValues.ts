// Values that jobs have moved to value files, read back by their handles out of files in memory.
import { assert } from "@effect/vitest"
import { concatBytes } from "../../src/internal/format/bytes.ts"
import { Kind } from "../../src/internal/format/record.ts"
import { checksumSealer } from "../../src/internal/format/sealer.ts"
import type { TableMeta } from "../../src/internal/format/tableMeta.ts"
import type { ValueFileMeta } from "../../src/internal/format/valueFileMeta.ts"
import { readHandle, type ValueHandle } from "../../src/internal/format/valueHandle.ts"
import { plainOf } from "../../src/internal/format/storedBlock.ts"
import { openStoredValue, openValue } from "../../src/internal/format/valuePieces.ts"
import {
  locate,
  openIndexBlock,
  ValueFileOpening,
  type ValueFileParts
} from "../../src/internal/structure/valueFileOpening.ts"
import { latin1, type Plain, toView } from "../internal/format/entries.ts"
import { type Held, header } from "./jobPlan.ts"

interface InMemory {
  readonly bytes: Uint8Array
  readonly parts: ValueFileParts
}

export const handleOf = ({ value }: Plain): ValueHandle => readHandle(latin1(value), 0, value.length)

export class SeparatedValues {
  private readonly files: ReadonlyArray<InMemory>

  constructor(metas: ReadonlyArray<ValueFileMeta>, bytesOf: (number: number) => Uint8Array) {
    this.files = metas.map((meta) => ({ bytes: bytesOf(meta.number), parts: opened(meta, bytesOf(meta.number)) }))
  }

  /** The entry as it was before its value moved. */
  resolved(point: Plain): Plain {
    if (point.kind !== Kind.valueHandle) return point
    const { file: id, index, length } = handleOf(point)
    const file = this.files.find(({ parts }) => parts.meta.sections.some((section) => section.id === id))!
    const block = locate(file.parts, id, index)!
    const place = openIndexBlock(file.parts, block, { bytes: file.bytes, start: block.offset }).find(index)!
    const from = { bytes: file.bytes, start: place.offset, owner: toView(point), length }
    const value = Buffer.from(concatBytes(openValue(file.parts, place, from))).toString("latin1")
    return { ...point, kind: Kind.set, value }
  }

  /** Every value of every file: which it is, and what is known of it, as one text each. */
  all(): ReadonlyArray<string> {
    return this.files.flatMap(({ bytes, parts }) =>
      parts.sections.flatMap(({ blocks, id }) =>
        blocks.flatMap((block) => {
          const opened = openIndexBlock(parts, block, { bytes, start: block.offset })
          return Array.from({ length: opened.count }, (_, position) => {
            const place = opened.at(position)
            const { pieces } = openStoredValue(parts, place, { bytes, start: place.offset })
            const plain = pieces.map((body) => plainOf(body, parts.sealer, place.offset))
            return `${id}:${place.index}:${Buffer.from(concatBytes(plain)).toString("latin1")}`
          })
        })
      )
    )
  }
}

const opened = (meta: ValueFileMeta, bytes: Uint8Array): ValueFileParts => {
  const opening = new ValueFileOpening({ meta, fileBytes: bytes.length, databaseId: header.databaseId })
  for (let request = opening.next(); request !== undefined; request = opening.next()) {
    const { _tag } = request
    opening.feed(_tag === "Sealer" ? checksumSealer : bytes.slice(request.offset, request.offset + request.length))
  }
  return opening.opened
}

/** Exactly the values that are too long are in value files, each once, in order, in files that are not too long. */
export const checkSeparation = (
  values: { readonly threshold: number; readonly fileBytesMax: number },
  made: {
    readonly tables: ReadonlyArray<TableMeta>
    readonly valueFiles: ReadonlyArray<ValueFileMeta>
    readonly held: ReadonlyArray<Held>
  }
): void => {
  const { held, tables, valueFiles } = made
  const handles = held.flatMap(({ points }) => points.filter(({ kind }) => kind === Kind.valueHandle).map(handleOf))
  for (const { points } of held) {
    for (const { kind, value } of points) if (kind === Kind.set) assert.isAtMost(value.length, values.threshold)
  }
  for (const { length } of handles) assert.isAbove(length, values.threshold)
  const named = valueFiles.flatMap(({ number, sections: [section] }) =>
    Array.from({ length: section!.count }, (_, index) => `${number}:${index}`)
  )
  assert.deepStrictEqual(
    handles.map(({ file, index }) => `${file}:${index}`),
    named
  )
  for (const { bytes, number, sections } of valueFiles) {
    const own = handles.filter(({ file }) => file === number)
    assert.deepStrictEqual(sections, [{ id: number, count: own.length, bytes: bytesOf(own) }])
    assert.isTrue(bytes <= values.fileBytesMax || own.length === 1, `${own.length} values in ${bytes} bytes`)
  }
  for (const [ordinal, { valueRefs }] of tables.entries()) {
    const own = held[ordinal]!.points.filter(({ kind }) => kind === Kind.valueHandle).map(handleOf)
    const refs = [...Map.groupBy(own, ({ file }) => file)].map(([file, of]) => ({
      file,
      count: of.length,
      bytes: bytesOf(of)
    }))
    assert.deepStrictEqual(
      valueRefs,
      refs.sort((a, b) => a.file - b.file)
    )
  }
}

const bytesOf = (handles: ReadonlyArray<ValueHandle>): number => handles.reduce((sum, { length }) => sum + length, 0)
