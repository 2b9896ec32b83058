// The contract of `Memtable`, one test for each numbered invariant in the contract's words. Every layer passes all of
// them.
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { Kind, recordBytes, recordFields, writeRecord } from "../../src/internal/format/record.ts"
import { emptyEntry } from "../../src/internal/structure/entry.ts"
import { Memtable, type MemtableHandle, type MemtableService } from "../../src/services/Memtable.ts"
import { bytes, hex } from "../support/model.ts"
import { Dice, randomKey } from "../support/randomPlan.ts"

/** Writes a record as a commit does, and returns where. */
const reserve = (memtable: MemtableHandle, key: string, value: string): number => {
  const fields = recordFields({ key: bytes(key), value: bytes(value) })
  const offset = memtable.arena.reserve(recordBytes(fields))
  if (offset >= 0) writeRecord(memtable.arena.bytes, offset, fields)
  return offset
}

const find = (memtable: MemtableHandle, key: string, sequence: number): string | undefined => {
  const target = bytes(key)
  const entry = memtable.find(target, 0, target.length, sequence)
  if (entry < 0) return undefined
  const view = emptyEntry()
  memtable.readEntry(entry, view)
  return hex(view.bytes.subarray(view.valueStart, view.valueEnd))
}

const walk = (memtable: MemtableHandle, sequence: number): Array<string> => {
  const cursor = memtable.cursor()
  const keys: Array<string> = []
  const view = emptyEntry()
  for (let at = cursor.seekFirst(); at; at = cursor.next()) {
    const entry = cursor.newest(sequence)
    if (entry < 0) continue
    memtable.readEntry(entry, view)
    keys.push(hex(view.bytes.subarray(view.keyStart, view.keyEnd)))
  }
  return keys
}

export const memtableSuite = (name: string, layer: () => Layer.Layer<Memtable>): void => {
  const use = (title: string, body: (memtables: MemtableService) => void) =>
    it.effect(title, () => Effect.map(Memtable, (memtables) => body(memtables)).pipe(Effect.provide(layer())))

  describe(`Memtable (${name})`, () => {
    use("1. there are never more than count out, and one that came back is empty", (memtables) => {
      const out = Array.from({ length: memtables.count }, () => memtables.acquireUnsafe()!)
      assert.isUndefined(memtables.acquireUnsafe())
      const [first] = out
      first!.put(reserve(first!, "61", "01"), 1)
      assert.strictEqual(first!.arena.capacity, memtables.arenaBytes)
      assert.strictEqual(first!.arena.reserve(memtables.arenaBytes), -1)
      memtables.releaseUnsafe(first!)
      const again = memtables.acquireUnsafe()!
      assert.strictEqual(again.entryCount, 0)
      assert.strictEqual(again.arena.used, 0)
      assert.isUndefined(find(again, "61", 9))
      assert.isUndefined(memtables.acquireUnsafe())
      memtables.releaseUnsafe(memtables.extraUnsafe(100))
      assert.isUndefined(memtables.acquireUnsafe())
    })

    use(
      "2. find and cursors give the newest version at or below each sequence, of indexed records only",
      (memtables) => {
        const dice = new Dice(2)
        const memtable = memtables.acquireUnsafe()!
        const versions: Array<{ readonly key: string; readonly value: string }> = []
        for (let sequence = 1; sequence <= 200; sequence++) {
          const version = { key: randomKey(dice), value: (sequence % 256).toString(16).padStart(2, "0") }
          reserve(memtable, version.key, "ff")
          memtable.put(reserve(memtable, version.key, version.value), sequence)
          versions.push(version)
        }
        for (const sequence of [0, 1, 50, 199, 200, 1000]) {
          const expected = new Map(versions.slice(0, sequence).map(({ key, value }) => [key, value]))
          for (const { key } of versions) assert.strictEqual(find(memtable, key, sequence), expected.get(key))
          assert.deepStrictEqual(walk(memtable, sequence), [...expected.keys()].sort())
        }
      }
    )

    use(
      "2. covering gives the newest range removal at or below each sequence, and finds are as without",
      (memtables) => {
        const dice = new Dice(5)
        const memtable = memtables.acquireUnsafe()!
        const removals: Array<{ readonly from: string; readonly to: string }> = []
        for (let sequence = 1; sequence <= 100; sequence++) {
          const [from, to] = [randomKey(dice), `${randomKey(dice)}ff`].sort()
          removals.push({ from: from!, to: to! })
          const fields = recordFields({ kind: Kind.removeRange, key: bytes(from!), value: bytes(to!) })
          const offset = memtable.arena.reserve(recordBytes(fields))
          writeRecord(memtable.arena.bytes, offset, fields)
          memtable.put(offset, sequence)
        }
        for (let round = 0; round < 500; round++) {
          const [key, at] = [randomKey(dice), dice.below(110)]
          const target = bytes(key)
          const expected = 1 + removals.slice(0, at).findLastIndex(({ from, to }) => from <= key && key < to)
          assert.strictEqual(memtable.covering(target, 0, target.length, at), expected, `${key} at ${at}`)
          assert.isUndefined(find(memtable, key, at))
        }
        assert.strictEqual(memtable.entryCount, 0)
        assert.deepStrictEqual(
          memtable.rangeRemovals.map(({ from, sequence, to }) => [hex(from), hex(to), sequence]),
          removals.map(({ from, to }, index) => [from, to, index + 1])
        )
        memtables.releaseUnsafe(memtable)
        assert.deepStrictEqual(memtables.acquireUnsafe()!.rangeRemovals, [])
      }
    )

    use("3. a cursor stays right while records are put", (memtables) => {
      const memtable = memtables.acquireUnsafe()!
      for (const key of ["62", "64", "66"]) memtable.put(reserve(memtable, key, ""), 1)
      const cursor = memtable.cursor()
      assert.isTrue(cursor.seekFirst())
      for (const key of ["61", "63", "67"]) memtable.put(reserve(memtable, key, ""), 2)
      const seen: Array<number> = []
      for (let at = cursor.next(); at; at = cursor.next()) seen.push(cursor.newest(1))
      assert.deepStrictEqual(
        seen.filter((entry) => entry >= 0),
        [1, 2]
      )
      assert.isTrue(cursor.seekLast())
      memtable.put(reserve(memtable, "65", ""), 3)
      assert.isTrue(cursor.previous())
      assert.strictEqual(cursor.newest(3), 2)
      assert.isTrue(cursor.previous())
      assert.strictEqual(cursor.newest(3), 6)
    })
  })
}
