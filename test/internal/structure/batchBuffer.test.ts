// The records of a plain batch: those that were added, in their order, and no key twice.
import { assert, describe, it } from "@effect/vitest"
import { Kind, readRecord, recordFields, RecordView } from "../../../src/internal/format/record.ts"
import { BatchBuffer, BatchBuffers } from "../../../src/internal/structure/batchBuffer.ts"
import { bytes, hex } from "../../support/model.ts"
import { Dice } from "../../support/randomPlan.ts"

const enough = 1 << 24

const fieldsOf = (key: string, value: string | undefined) =>
  value === undefined
    ? recordFields({ kind: Kind.remove, key: bytes(key) })
    : recordFields({ key: bytes(key), value: bytes(value), expiresAt: value.length % 3, userMeta: value.length % 5 })

const encoded = (buffer: BatchBuffer): ReadonlyArray<string> => {
  const target = new Uint8Array(buffer.recordBytes + 2).fill(0xee)
  buffer.encode(target, 1)
  assert.deepStrictEqual([target[0], target.at(-1)], [0xee, 0xee])
  const records: Array<string> = []
  const view = new RecordView()
  for (let at = 1; at <= buffer.recordBytes; at = view.end) {
    readRecord(target, at, buffer.recordBytes + 1, view)
    const key = hex(target.subarray(view.keyStart, view.keyEnd))
    records.push(view.kind === Kind.remove ? key : `${key}=${hex(target.subarray(view.valueStart, view.valueEnd))}`)
  }
  assert.lengthOf(records, buffer.count)
  return records
}

/** A key of one to three bytes: some begin others. Ascending for a while, if it is to. */
const keyOf = (dice: Dice, number: number): string => {
  const text = number.toString(16).padStart(6, "0")
  return dice.chance(10) ? text.slice(0, 2 + 2 * dice.below(2)) : text
}

describe("BatchBuffer", () => {
  it("holds what was added in its order, and refuses a key that it has, whether keys ascend or not", () => {
    const buffers = new BatchBuffers()
    for (let seed = 1; seed <= 300; seed++) {
      const dice = new Dice(seed)
      const buffer = buffers.take()
      const expected: Array<string> = []
      const keys = new Set<string>()
      const ascendingUntil = dice.below(400)
      const count = dice.below(1000)
      let refused = false
      for (let index = 0; index < count && !refused; index++) {
        const key = keyOf(dice, index < ascendingUntil ? index * 2 : dice.below(1 << 20))
        const value = dice.chance(20)
          ? undefined
          : "ab".repeat(dice.chance(50) ? dice.below(300) : 500 + dice.below(30))
        const isNew = buffer.add(fieldsOf(key, value), enough)
        assert.strictEqual(isNew, !keys.has(key), `seed ${seed}, key ${key}`)
        refused = !isNew
        if (refused) break
        keys.add(key)
        expected.push(value === undefined ? key : `${key}=${value}`)
      }
      assert.deepStrictEqual(encoded(buffer), expected, `seed ${seed}`)
      buffers.giveBack(buffer)
    }
  })

  it("takes no more bytes than it may", () => {
    const buffer = new BatchBuffer()
    assert.isTrue(buffer.add(fieldsOf("aa", "bb".repeat(100)), 150))
    const { recordBytes } = buffer
    assert.isFalse(buffer.add(fieldsOf("ab", "bb".repeat(100)), 150))
    assert.deepStrictEqual([buffer.recordBytes, buffer.count], [recordBytes, 1])
  })

  it("is used again, unless it has grown large", () => {
    const buffers = new BatchBuffers()
    const small = buffers.take()
    small.add(fieldsOf("bb", "00"), enough)
    small.add(fieldsOf("aa", "00"), enough)
    buffers.giveBack(small)
    const again = buffers.take()
    assert.strictEqual(again, small)
    assert.deepStrictEqual(encoded(again), [])
    assert.isTrue(again.add(fieldsOf("cc", "00"), enough), "what it held is forgotten")
    assert.isTrue(again.add(fieldsOf("bb", "00"), enough))
    const large = new BatchBuffer()
    const value = "00".repeat(500)
    for (let key = 0; key < 3000; key++) large.add(fieldsOf(key.toString(16).padStart(4, "0"), value), enough)
    buffers.giveBack(large)
    assert.notStrictEqual(buffers.take(), large)
  })

  it("tells that a value's buffer was resized or given away since it was added", () => {
    for (const change of [(buffer: ArrayBuffer) => buffer.resize(600), (buffer: ArrayBuffer) => buffer.transfer()]) {
      const buffer = new BatchBuffer()
      const memory = new ArrayBuffer(2000, { maxByteLength: 4000 })
      assert.isTrue(buffer.add(recordFields({ key: bytes("6b"), value: new Uint8Array(memory) }), enough))
      assert.isTrue(buffer.isWhole)
      change(memory)
      assert.isFalse(buffer.isWhole)
    }
  })
})
