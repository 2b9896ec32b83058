import { describe, expect, it } from "@effect/vitest"
import { Kind, recordBytes, recordFields, writeRecord } from "../../../src/internal/format/record.ts"
import { Arena, type ArenaLike, GrowingArena } from "../../../src/internal/structure/arena.ts"
import { emptyEntry } from "../../../src/internal/structure/entry.ts"
import { Memtable } from "../../../src/internal/structure/memtable.ts"
import { Dice, manySeeds, utf8 } from "../format/support.ts"
import { compare, name, putRecord, type Shape, shapes, storedKey } from "./keyShapes.ts"

interface Version {
  readonly sequence: number
  readonly offset: number
  readonly value: Uint8Array
}

/** A memtable beside what it should hold: every key's versions, oldest first. */
class Pair {
  readonly arena: ArenaLike
  readonly memtable: Memtable
  readonly model = new Map<string, { readonly key: Uint8Array; readonly versions: Array<Version> }>()
  sequence = 0
  entries = 0

  constructor(arena: ArenaLike, memtable?: Memtable) {
    this.arena = arena
    this.memtable = memtable ?? new Memtable(arena)
  }

  /** False when the arena is full. */
  put(dice: Dice, key: Uint8Array): boolean {
    this.sequence += dice.pick([1, 1, 2, 2 ** 33])
    const value = dice.bytes(dice.below(5))
    const offset = putRecord(this.arena, key, value)
    if (offset < 0) return false
    this.memtable.put(offset, this.sequence)
    const known = this.model.get(name(key))
    const version = { sequence: this.sequence, offset, value }
    if (known === undefined) this.model.set(name(key), { key, versions: [version] })
    else known.versions.push(version)
    this.entries++
    return true
  }

  newest(key: Uint8Array, sequence: number): Version | undefined {
    return this.model.get(name(key))?.versions.findLast((version) => version.sequence <= sequence)
  }

  check(key: Uint8Array, sequence: number): void {
    const padded = Uint8Array.from([7, ...key, 8])
    const entry = this.memtable.find(padded, 1, padded.length - 1, sequence)
    const expected = this.newest(key, sequence)
    if (expected === undefined) {
      expect(entry).toBe(-1)
      return
    }
    expect(this.memtable.sequenceOf(entry)).toBe(expected.sequence)
    expect(this.memtable.recordOffset(entry)).toBe(expected.offset)
    const view = emptyEntry()
    this.memtable.readEntry(entry, view)
    expect(view.bytes.slice(view.keyStart, view.keyEnd)).toEqual(key)
    expect(view.bytes.slice(view.valueStart, view.valueEnd)).toEqual(expected.value)
    expect([view.kind, view.flags, view.sequence]).toEqual([Kind.set, 0, expected.sequence])
  }

  checkAll(dice: Dice): void {
    expect(this.memtable.keyCount).toBe(this.model.size)
    expect(this.memtable.entryCount).toBe(this.entries)
    for (const { key, versions } of this.model.values()) {
      let entry = this.memtable.find(key, 0, key.length, Number.MAX_SAFE_INTEGER)
      for (const version of versions.toReversed()) {
        expect(this.memtable.sequenceOf(entry)).toBe(version.sequence)
        entry = this.memtable.older(entry)
      }
      expect(entry).toBe(-1)
      this.check(key, dice.pick(versions).sequence - dice.below(2))
    }
  }
}

const arenas = (dice: Dice): ArenaLike => {
  const bytes = dice.pick([0, 100, 2000, 60_000])
  if (dice.chance(0.3)) return new GrowingArena({ bytesInitial: 16, bytesMax: bytes })
  return new Arena(dice.chance(0.5) ? new ArrayBuffer(bytes) : new SharedArrayBuffer(bytes))
}

describe("Memtable", () => {
  it.each(shapes)("finds the newest version at or below any sequence, for keys of the shape %j", (shape: Shape) => {
    manySeeds(20, (dice) => {
      const arena = arenas(dice)
      let pair = new Pair(arena)
      for (let round = 0; round < 2; round++) {
        const keys = Array.from({ length: dice.pick([2, 20, 500]) }, () => storedKey(dice, shape))
        for (let turn = 0; turn < 800 && pair.put(dice, dice.pick(keys)); turn++) {
          pair.check(dice.pick(keys), dice.chance(0.5) ? Number.MAX_SAFE_INTEGER : dice.below(pair.sequence + 2))
          pair.check(storedKey(dice, shape), pair.sequence)
        }
        pair.checkAll(dice)
        pair.memtable.reset()
        pair = new Pair(arena, pair.memtable)
        pair.checkAll(dice)
        for (const key of keys) pair.check(key, Number.MAX_SAFE_INTEGER)
      }
    })
  })

  it("keeps keys of 65,536 bytes apart that differ in their last byte, and their beginnings", () => {
    const dice = new Dice(3)
    const pair = new Pair(new Arena(new ArrayBuffer(1 << 20)))
    const long = new Uint8Array(65_536).fill(1)
    const keys = [0, 1, 0xff].map((last) => Uint8Array.from([...long.subarray(0, 65_535), last]))
    keys.push(long.slice(0, 65_535), long.slice(0, 8), long.slice(0, 9), long.slice(0, 1))
    for (const key of keys) expect(pair.put(dice, key)).toBe(true)
    pair.checkAll(dice)
    const cursor = pair.memtable.cursor()
    const found: Array<Uint8Array> = []
    for (let at = cursor.seekFirst(); at; at = cursor.next()) {
      found.push(cursor.bytes.slice(cursor.keyStart, cursor.keyEnd))
    }
    expect(found.map(({ length }) => length)).toEqual([1, 8, 9, 65_535, 65_536, 65_536, 65_536])
    expect(found).toEqual([...keys].sort(compare))
  })

  it("keeps range removals apart from keys, in order, as bytes of their own", () => {
    const arena = new Arena(new ArrayBuffer(1000))
    const memtable = new Memtable(arena)
    for (const [from, to, sequence] of [
      ["b", "d", 5],
      ["a", "c", 6]
    ] as const) {
      const fields = recordFields({ kind: Kind.removeRange, key: utf8(from), value: utf8(to) })
      const offset = arena.reserve(recordBytes(fields))
      writeRecord(arena.bytes, offset, fields)
      memtable.put(offset, sequence)
    }
    arena.bytes.fill(0)
    expect(memtable.rangeRemovals).toEqual([
      { from: utf8("b"), to: utf8("d"), sequence: 5 },
      { from: utf8("a"), to: utf8("c"), sequence: 6 }
    ])
    expect([memtable.entryCount, memtable.keyCount]).toEqual([0, 0])
    expect(memtable.find(utf8("b"), 0, 1, 10)).toBe(-1)
    memtable.reset()
    expect(memtable.rangeRemovals).toEqual([])
  })

  it("refuses sequences of one key that do not increase, as our own mistake", () => {
    const arena = new Arena(new ArrayBuffer(1000))
    const memtable = new Memtable(arena)
    memtable.put(putRecord(arena, utf8("a"), utf8("")), 2 ** 40)
    const again = putRecord(arena, utf8("a"), utf8(""))
    expect(() => memtable.put(again, 2 ** 40)).toThrow("must increase")
    memtable.put(putRecord(arena, utf8("b"), utf8("")), 1)
    memtable.put(again, 2 ** 40 + 1)
    expect(memtable.entryCount).toBe(3)
  })

  it("keeps its first memory through reset, and gives back what smaller records made it take", () => {
    const arena = new Arena(new ArrayBuffer(64_000))
    const memtable = new Memtable(arena)
    const bytes = memtable.indexBytes
    expect(bytes).toBeLessThan(64_000)
    for (let count = 0; ; count++) {
      const offset = putRecord(arena, utf8(`${count}`), utf8(""))
      if (offset < 0) break
      memtable.put(offset, count + 1)
    }
    expect(memtable.indexBytes).toBeGreaterThan(bytes * 4)
    memtable.reset()
    expect(memtable.indexBytes).toBe(bytes)
    expect([memtable.entryCount, memtable.keyCount, memtable.used]).toEqual([0, 0, 0])
  })
})
