// The invariants of `ValueLog` about files that it writes: those of commits that have not entered yet.
import { assert } from "@effect/vitest"
import { Effect, Exit } from "effect"
import type { ValueLogService } from "../../src/services/ValueLog.ts"
import { reasonOf, rewrite } from "../support/tables.ts"
import { ownerOf, type PlainValue } from "../support/valueFiles.ts"
import { patterned } from "../support/valueLogs.ts"
import { checkRead, names, onlyFile, type Use } from "../support/valueLogUnderTest.ts"

/** Writes the values by a writer of the layer, each in pieces. */
const writtenBy = Effect.fnUntraced(function* (values: ValueLogService, plain: ReadonlyArray<Uint8Array>) {
  const writer = yield* values.create
  const stored: Array<PlainValue> = []
  for (const [at, value] of plain.entries()) {
    const key = `key-${at}`
    const index = writer.begin(ownerOf(key, 0))
    const piece = new Uint8Array(70_000)
    for (let from = 0; from < value.length; from += piece.length) {
      const part = value.subarray(from, from + piece.length)
      piece.set(part)
      yield* writer.push(piece.subarray(0, part.length))
    }
    assert.strictEqual(writer.end(), value.length)
    stored.push({ id: writer.id, index, key, sequence: 0, value })
  }
  const meta = yield* writer.finish
  yield* writer.discard
  yield* values.syncNames
  return { meta, stored }
})

export const writing = (use: Use): void => {
  use("7. what a writer has finished reads back, and find knows it; one that is discarded leaves no file", (under) =>
    Effect.gen(function* () {
      const values = yield* under.values()
      const { meta, stored } = yield* writtenBy(values, [0, 1, 5000, 300_000, 1_200_000].map(patterned))
      for (const one of stored) yield* checkRead(values.handle(meta), { ...one, sequence: 77 })
      const later = yield* under.values()
      const found = yield* later.find(meta.number)
      assert.deepStrictEqual(found.meta, meta)
      for (const one of stored) yield* checkRead(found, { ...one, sequence: 78 })
      const writer = yield* values.create
      writer.begin(ownerOf("k", 0))
      yield* writer.push(patterned(2_000_000, 1))
      yield* writer.discard
      yield* writer.discard
      assert.lengthOf(yield* names(under), 1)
    })
  )

  use("8. a missing or damaged file fails find; it names nothing that it has not checked", (under) =>
    Effect.gen(function* () {
      const { meta } = yield* writtenBy(yield* under.values(), [patterned(5000, 1), patterned(10, 2)])
      const path = yield* onlyFile(under)
      const find = Effect.flatMap(under.values(), (values) => values.find(meta.number))
      // Header, index, top and footer. Values are checked when they are read.
      const offsets = Array.from({ length: meta.bytes }, (_, offset) => offset)
      for (const offset of offsets.filter((offset) => offset % 3 === 0 && (offset < 96 || offset > meta.bytes - 180))) {
        yield* rewrite(under.disk, path, (bytes) => bytes.map((byte, at) => (at === offset ? byte ^ 4 : byte)))
        const result = yield* Effect.exit(find)
        if (Exit.isSuccess(result)) assert.deepStrictEqual(result.value.meta, meta, `a flip at ${offset}`)
        else assert.include(["Corruption", "Unsupported"], (yield* reasonOf(result))._tag, `a flip at ${offset}`)
        yield* rewrite(under.disk, path, (bytes) => bytes.map((byte, at) => (at === offset ? byte ^ 4 : byte)))
      }
      for (const left of [0, 50, 96, 140, meta.bytes - 1]) {
        const whole = yield* under.disk.open(path)
        const bytes = yield* whole.read(0, whole.size)
        yield* whole.close
        yield* rewrite(under.disk, path, () => bytes.slice(0, left))
        assert.deepInclude(yield* reasonOf(find), { _tag: "Corruption", file: path })
        yield* rewrite(under.disk, path, () => bytes)
      }
      yield* under.disk.remove(path)
      assert.deepInclude(yield* reasonOf(find), { _tag: "Corruption", file: path })
      const reader = yield* under.values({ readOnly: true })
      assert.deepInclude(yield* reasonOf(reader.find(meta.number)), { _tag: "Stale", file: path })
    })
  )
}
