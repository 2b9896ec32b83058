// What a batch becomes in the log, against the writes one after another.
import { assert, describe, it } from "@effect/vitest"
import { Kind, readRecord, recordBytes, recordFields, RecordView } from "../../../src/internal/format/record.ts"
import { WriteBuffer, WriteBuffers } from "../../../src/internal/structure/writeBuffer.ts"
import { bytes, hex } from "../../support/model.ts"
import { Dice, randomKey } from "../../support/randomPlan.ts"

type Write =
  | { readonly key: string; readonly value: string | undefined }
  | { readonly from: string; readonly to: string }

const fieldsOf = (write: Write) =>
  "from" in write
    ? recordFields({ kind: Kind.removeRange, key: bytes(write.from), value: bytes(write.to) })
    : write.value === undefined
      ? recordFields({ kind: Kind.remove, key: bytes(write.key) })
      : recordFields({ key: bytes(write.key), value: bytes(write.value) })

const encoded = (buffer: WriteBuffer): ReadonlyArray<Write> => {
  const { count, recordBytes } = buffer.measure()
  const target = new Uint8Array(recordBytes + 2).fill(0xee)
  assert.strictEqual(buffer.encode(target, 1), recordBytes + 1)
  assert.deepStrictEqual([target[0], target.at(-1)], [0xee, 0xee])
  const writes: Array<Write> = []
  const view = new RecordView()
  for (let at = 1; at <= recordBytes; at = view.end) {
    readRecord(target, at, recordBytes + 1, view)
    const [key, value] = [view.keyStart, view.valueStart].map((start, index) =>
      hex(target.subarray(start, [view.keyEnd, view.valueEnd][index]))
    )
    if (view.kind === Kind.removeRange) writes.push({ from: key!, to: value! })
    else writes.push({ key: key!, value: view.kind === Kind.remove ? undefined : value })
  }
  assert.lengthOf(writes, count)
  return writes
}

const randomWrite = (dice: Dice): Write => {
  if (dice.chance(20)) {
    const [from, to] = [randomKey(dice), randomKey(dice)].sort()
    return { from: from!, to: to! }
  }
  return { key: randomKey(dice), value: dice.chance(30) ? undefined : "aa" }
}

/** What is there after the writes, if all of these keys were there before. */
const applied = (writes: ReadonlyArray<Write>, keys: ReadonlyArray<string>): ReadonlyArray<string> => {
  const state = new Map(keys.map((key) => [key, "before"]))
  for (const write of writes) {
    if ("from" in write) for (const key of state.keys()) if (write.from <= key && key < write.to) state.delete(key)
    if ("from" in write) continue
    if (write.value === undefined) state.delete(write.key)
    else state.set(write.key, write.value)
  }
  return [...state].map(([key, value]) => `${key}=${value}`).sort()
}

describe("WriteBuffer", () => {
  it("encodes records that do in one moment what the writes do in their order, each key and range once", () => {
    for (let seed = 1; seed <= 500; seed++) {
      const dice = new Dice(seed)
      const buffer = new WriteBuffer(1 << 20)
      const writes = Array.from({ length: 1 + dice.below(20) }, () => randomWrite(dice))
      for (const write of writes) assert.isTrue(buffer.add(fieldsOf(write)))
      const records = encoded(buffer)
      const ranges = records.filter((write) => "from" in write).sort((a, b) => (a.from < b.from ? -1 : 1))
      const points = records.filter((write) => "key" in write)
      ranges.forEach((range, index) => {
        assert.isBelow(Buffer.compare(bytes(range.from), bytes(range.to)), 0, `seed ${seed}`)
        if (index > 0) assert.isTrue(ranges[index - 1]!.to < range.from, `seed ${seed}: ranges touch`)
      })
      assert.strictEqual(new Set(points.map(({ key }) => key)).size, points.length, `seed ${seed}: a key twice`)
      const keys = Array.from({ length: 60 }, () => randomKey(dice))
      // At one sequence a point shadows a range.
      assert.deepStrictEqual(applied([...ranges, ...points], keys), applied(writes, keys), `seed ${seed}`)
    }
  })

  it("drops what a later range removal covers, and takes nothing over its limit", () => {
    const removal = fieldsOf({ from: "61", to: "63" })
    const buffer = new WriteBuffer(recordBytes(removal) + 100)
    assert.isTrue(buffer.add(fieldsOf({ key: "62", value: "aa".repeat(80) })))
    assert.isTrue(buffer.add(removal))
    assert.deepStrictEqual(encoded(buffer), [{ from: "61", to: "63" }])
    assert.isFalse(buffer.add(fieldsOf({ key: "62", value: "aa".repeat(80) })))
    assert.deepStrictEqual(encoded(buffer), [{ from: "61", to: "63" }])
    assert.isTrue(buffer.add(fieldsOf({ key: "62", value: "bb" })))
    assert.deepStrictEqual(encoded(buffer), [
      { key: "62", value: "bb" },
      { from: "61", to: "63" }
    ])
  })
})

describe("WriteBuffers", () => {
  it("gives a buffer out again, empty, unless it has grown or somebody walks through it", () => {
    const buffers = new WriteBuffers(1 << 20)
    const first = buffers.take()
    first.add(fieldsOf({ key: "aa", value: "00" }))
    first.add(fieldsOf({ from: "aa", to: "bb" }))
    buffers.giveBack(first)
    const again = buffers.take()
    assert.strictEqual(again, first)
    assert.isTrue(again.isEmpty)
    assert.deepStrictEqual(encoded(again), [])
    assert.strictEqual(again.memtable.find(bytes("aa"), 0, 1, 9), -1)
    again.walked()
    buffers.giveBack(again)
    const other = buffers.take()
    assert.notStrictEqual(other, again, "a walk may go on a step longer than its transaction")
    other.add(fieldsOf({ key: "aa", value: "00".repeat(10_000) }))
    buffers.giveBack(other)
    assert.notStrictEqual(buffers.take(), other, "it would keep its memory")
  })
})
