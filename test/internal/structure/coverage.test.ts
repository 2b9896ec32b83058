// Histories of points and range removals, cut at random into own writes, memtables, tables and runs, against the list
// of what happened.
import { assert, describe, it } from "@effect/vitest"
import { Kind, recordBytes, recordFields, writeRecord } from "../../../src/internal/format/record.ts"
import { GrowingArena } from "../../../src/internal/structure/arena.ts"
import { compareKeys, type KeyRange } from "../../../src/internal/structure/keyRange.ts"
import type { Run } from "../../../src/internal/structure/levels.ts"
import { Found, Lookup } from "../../../src/internal/structure/lookup.ts"
import { Memtable } from "../../../src/internal/structure/memtable.ts"
import { MemtableSource } from "../../../src/internal/structure/memtableSource.ts"
import { Merge } from "../../../src/internal/structure/merge.ts"
import { RangeCursor, Step } from "../../../src/internal/structure/rangeCursor.ts"
import { RunSource } from "../../../src/internal/structure/runSource.ts"
import type { Source } from "../../../src/internal/structure/source.ts"
import { TableSource } from "../../../src/internal/structure/tableSource.ts"
import { firstIndex, LooseTable, order, runWith } from "../../support/looseTables.ts"
import { bytes, hex } from "../../support/model.ts"
import { Dice } from "../../support/randomPlan.ts"

const letters = ["61", "6161", "6200", "62", "6262", "63", "64", "65", "6500", "66"]

interface Point {
  readonly key: Uint8Array
  readonly sequence: number
  readonly removed: boolean
}

interface Removal {
  readonly from: Uint8Array
  readonly to: Uint8Array
  readonly sequence: number
}

type Change = Point | Removal

const randomKey = (dice: Dice): Uint8Array => bytes(`01${dice.pick(letters)}`)

/** Now and then two changes of one commit: then the point comes first, and shadows the removal. */
const randomHistory = (dice: Dice, length: number, from: number): Array<Change> => {
  const changes: Array<Change> = []
  for (let sequence = from; changes.length < length; sequence++) {
    const isBoth = dice.chance(10)
    if (isBoth || dice.chance(30)) {
      const [low, high] = [randomKey(dice), randomKey(dice)].sort(compareKeys)
      changes.push({ from: low!, to: high!, sequence })
    }
    if (isBoth || changes.at(-1)?.sequence !== sequence)
      changes.push({ key: randomKey(dice), sequence, removed: dice.chance(15) })
  }
  return changes
}

const isRemoval = (change: Change): change is Removal => "from" in change
const pointsOf = (changes: ReadonlyArray<Change>) => changes.filter((one): one is Point => !isRemoval(one)).sort(order)
const removalsOf = (changes: ReadonlyArray<Change>) =>
  changes.filter(isRemoval).filter(({ from, to }) => compareKeys(from, to) < 0)

const memtableOf = (changes: ReadonlyArray<Change>): Memtable => {
  const arena = new GrowingArena({ bytesInitial: 64, bytesMax: 1 << 20 })
  const memtable = new Memtable(arena)
  for (const change of changes) {
    const fields = isRemoval(change)
      ? recordFields({ kind: Kind.removeRange, key: change.from, value: change.to })
      : recordFields({ kind: change.removed ? Kind.remove : Kind.set, key: change.key })
    const offset = arena.reserve(recordBytes(fields))
    writeRecord(arena.bytes, offset, fields)
    memtable.put(offset, change.sequence)
  }
  return memtable
}

/** The sequence of each key that is there. */
const stateAt = (changes: ReadonlyArray<Change>, sequence: number): ReadonlyMap<string, number> => {
  const state = new Map<string, number>()
  for (const change of changes) {
    if (change.sequence > sequence) continue
    if (isRemoval(change)) {
      for (const key of state.keys()) if (hex(change.from) <= key && key < hex(change.to)) state.delete(key)
    } else if (change.removed) state.delete(hex(change.key))
    else state.set(hex(change.key), change.sequence)
  }
  return state
}

/** Cuts the history in pieces of the given lengths, and what follows. */
const pieces = (dice: Dice, history: ReadonlyArray<Change>, count: number): Array<ReadonlyArray<Change>> => {
  const cuts = Array.from({ length: count - 1 }, () => history[dice.below(history.length)]!.sequence).sort(
    (a, b) => a - b
  )
  return [0, ...cuts].map((from, index) =>
    history.filter(({ sequence }) => sequence > from && sequence <= (cuts[index] ?? Number.POSITIVE_INFINITY))
  )
}

const someKeys = (dice: Dice): ReadonlyArray<Uint8Array> =>
  Array.from({ length: dice.below(4) }, () => bytes(`01${dice.pick(letters)}${dice.chance(50) ? "00" : ""}`))

interface Parts {
  readonly memtables: ReadonlyArray<Memtable>
  readonly runs: ReadonlyArray<Run<LooseTable>>
}

/** From the newest to the oldest: memtables, single tables, and a run. */
const partsOf = (dice: Dice, history: ReadonlyArray<Change>): Parts => {
  const [oldest, old, younger, young, newest] = pieces(dice, history, 5)
  const run = (changes: ReadonlyArray<Change>, at: ReadonlyArray<Uint8Array>) => ({
    level: 1,
    tables: runWith(pointsOf(changes), removalsOf(changes), { at, dice })
  })
  const runs = [run(younger!, []), run(old!, someKeys(dice)), run(oldest!, someKeys(dice))]
  return { memtables: [memtableOf(newest!), memtableOf(young!)], runs: runs.filter(({ tables }) => tables.length > 0) }
}

const sourcesOf = ({ memtables, runs }: Parts, sequence: number): Array<Source> => [
  ...memtables.map((memtable) => new MemtableSource(memtable, sequence)),
  ...runs.map(({ tables }) =>
    tables.length === 1 ? new TableSource(tables[0]!, sequence) : new RunSource(tables, sequence)
  )
]

const randomRange = (dice: Dice): KeyRange => {
  const [from, to] = [randomKey(dice), randomKey(dice)].sort(compareKeys)
  return {
    from: dice.chance(50) ? bytes("01") : from!,
    fromInclusive: dice.chance(70),
    to: dice.chance(30) ? undefined : dice.chance(50) ? bytes("02") : to,
    toInclusive: dice.chance(30)
  }
}

const inside = ({ from, fromInclusive, to, toInclusive }: KeyRange, key: string): boolean =>
  (fromInclusive ? key >= hex(from) : key > hex(from)) &&
  (to === undefined || (toInclusive ? key <= hex(to) : key < hex(to)))

const finish = (cursor: RangeCursor, dice: Dice, again: () => Merge): Step => {
  let answer = cursor.run()
  while (answer === Step.needs || answer === Step.pause) {
    const request = cursor.request!
    if (dice.chance(10)) cursor.rebind(again())
    else if (answer === Step.needs) (request.table as LooseTable).answer(request)
    answer = cursor.run()
  }
  return answer
}

const walk = (seed: number): void => {
  const dice = new Dice(seed)
  const history = randomHistory(dice, 4 + dice.below(40), 1)
  const last = history.at(-1)!.sequence
  const parts = partsOf(dice, history)
  const own = dice.chance(30) ? randomHistory(dice, dice.below(8), 1) : undefined
  const writes = own && memtableOf(own)
  const sequence = dice.chance(50) ? last : dice.below(last + 2)
  const range = randomRange(dice)
  const seen = history.filter((change) => change.sequence <= sequence)
  const raised = (own ?? []).map((change) => ({ ...change, sequence: change.sequence + last }))
  const state = stateAt([...seen, ...raised], Number.POSITIVE_INFINITY)
  const expected = [...state.keys()].sort().filter((key) => inside(range, key))
  const merge = () =>
    new Merge([
      ...(writes === undefined ? [] : [new MemtableSource(writes, Number.MAX_SAFE_INTEGER)]),
      ...sourcesOf(parts, sequence)
    ])
  const cursor = new RangeCursor(merge(), { range, suffix: undefined, nowMillis: () => 0 })
  const trail: Array<string> = []
  let at = -1
  for (let step = 0; step < 20; step++) {
    if (dice.chance(15)) cursor.rebind(merge())
    const forward = dice.chance(55)
    if (dice.chance(25)) {
      const key = hex(randomKey(dice))
      trail.push(`seek ${key} ${forward}`)
      cursor.seek(bytes(key), forward)
      at = forward ? firstIndex(expected, (one) => one >= key) : expected.findLastIndex((one) => one <= key)
    } else {
      trail.push(forward ? "next" : "previous")
      cursor.move(forward)
      at = forward ? Math.min(expected.length, at + 1) : Math.max(-1, at - 1)
    }
    const found = finish(cursor, dice, merge) === Step.ready ? hex(cursor.currentKey) : undefined
    assert.strictEqual(
      found,
      expected[at],
      `seed ${seed}, at ${sequence}: ${trail.join(", ")} of ${expected.join(" ")}`
    )
  }
}

describe("range removals", () => {
  it("hide from a walk exactly what they cover and is older, in both directions, whatever is missing", () => {
    for (let seed = 1; seed <= 5000; seed++) walk(seed)
  })

  it("hide from a lookup exactly what they cover and is older", () => {
    const lookup = new Lookup()
    for (let seed = 1; seed <= 4000; seed++) {
      const dice = new Dice(seed)
      const history = randomHistory(dice, 4 + dice.below(40), 1)
      const parts = partsOf(dice, history)
      for (let count = 0; count < 12; count++) {
        const key = randomKey(dice)
        const sequence = dice.below(history.at(-1)!.sequence + 2)
        let found = lookup.start(parts, { bytes: key, start: 0, end: key.length }, sequence)
        while (found === Found.needs) {
          ;(lookup.request!.table as LooseTable).answer(lookup.request!)
          found = lookup.step()
        }
        const isThere = found === Found.entry && lookup.entry.kind !== Kind.remove
        const expected = stateAt(history, sequence).get(hex(key))
        const where = `seed ${seed}: ${hex(key)} at ${sequence}`
        assert.strictEqual(isThere ? lookup.entry.sequence : undefined, expected, where)
      }
    }
  })

  it("end a lookup: older tables are not asked", () => {
    const dice = new Dice(1)
    const key = bytes("0162")
    const removals = [{ from: bytes("0161"), to: bytes("0163"), sequence: 5 }]
    const old = new LooseTable([{ key, sequence: 1, removed: false }], dice)
    const young = new LooseTable([], dice, { smallest: bytes("0161"), largest: bytes("0163"), removals })
    const runs = [young, old].map((table) => ({ level: 0, tables: [table] }))
    const lookup = new Lookup()
    let found = lookup.start({ memtables: [], runs }, { bytes: key, start: 0, end: 2 }, 9)
    for (; found === Found.needs; found = lookup.step()) (lookup.request!.table as LooseTable).answer(lookup.request!)
    assert.deepStrictEqual([found, old.asked], [Found.nothing, 0])
  })

  it("are passed over by one search of each older source, and by none if nothing of the range is behind", () => {
    const keys = Array.from({ length: 500 }, (_, index) => bytes(`0161${(index + 4096).toString(16)}`))
    const versions = keys.map((key) => ({ key, sequence: 1, removed: false }))
    // Each block holds one entry, and none is in memory.
    const table = new LooseTable(versions, { chance: (percent: number) => percent === 40 } as unknown as Dice)
    const blocksOf = (
      range: Partial<KeyRange>,
      removals: ReadonlyArray<ReadonlyArray<Omit<Removal, "sequence">>>,
      forward: boolean
    ) => {
      const memtables = removals.map((list, age) =>
        memtableOf(list.map((removal, index) => ({ ...removal, sequence: 1000 * (9 - age) + index })))
      )
      const memtableSources = memtables.map((memtable) => new MemtableSource(memtable, 10_000))
      const merge = new Merge([...memtableSources, new TableSource(table, 10_000)])
      const whole = { from: bytes("01"), fromInclusive: true, to: bytes("02"), toInclusive: false }
      const cursor = new RangeCursor(merge, { range: { ...whole, ...range }, suffix: undefined, nowMillis: () => 0 })
      if (!forward) cursor.toEnd()
      const blocks = new Set<number>()
      const found: Array<string> = []
      for (let answer: Step = Step.ready; answer === Step.ready;) {
        cursor.move(forward)
        for (answer = cursor.run(); answer === Step.needs; answer = cursor.run()) {
          if (cursor.request!.want === "block") blocks.add(cursor.request!.ordinal)
          table.answer(cursor.request!)
        }
        if (answer === Step.ready) found.push(hex(cursor.currentKey))
      }
      return { blocks: [...blocks].sort((a, b) => a - b), found: found.length }
    }
    const between = (from: number, to: number) => ({ from: keys[from]!, to: keys[to]! })
    const middle = [[between(3, 498)]]
    assert.deepStrictEqual(blocksOf({}, middle, true), { blocks: [0, 1, 2, 3, 498, 499], found: 5 })
    assert.deepStrictEqual(blocksOf({}, middle, false), { blocks: [0, 1, 2, 3, 497, 498, 499], found: 5 })
    assert.deepStrictEqual(blocksOf({}, [[between(0, 499)]], true), { blocks: [0, 499], found: 1 })
    const all = { from: bytes("01"), to: bytes("02") }
    for (const forward of [true, false]) {
      // A search downwards begins in the block that may hold the bound.
      const blocks = forward ? [100] : [199, 200]
      assert.deepStrictEqual(blocksOf(between(100, 200), [[all]], forward), { blocks, found: 0 })
      assert.deepStrictEqual(blocksOf(between(100, 200), [[between(100, 200)]], forward), { blocks, found: 0 })
      // An old one cut by new ones, and neighbours.
      const parts = Array.from({ length: 249 }, (_, index) => between(2 * index, 2 * index + 1))
      assert.deepStrictEqual(blocksOf(between(100, 200), [parts, [all]], forward), { blocks, found: 0 })
      const neighbours = Array.from({ length: 64 }, (_, index) => between(136 + index, 137 + index))
      const found = blocksOf(between(136, 200), [[...neighbours].reverse()], forward)
      assert.deepStrictEqual(found, { blocks: forward ? [136] : [199, 200], found: 0 })
    }
  })
})
