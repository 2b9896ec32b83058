// Merges of tables whose versions are cut into blocks at random, walked in both directions by several readers, against
// a sorted list.
import { assert, describe, it } from "@effect/vitest"
import { Kind } from "../../../src/internal/format/record.ts"
import type { BlockLike, EntryView, TableLike } from "../../../src/internal/structure/entry.ts"
import { Merge } from "../../../src/internal/structure/merge.ts"
import { compareKeys, type KeyRange } from "../../../src/internal/structure/keyRange.ts"
import { RangeCursor, Step } from "../../../src/internal/structure/rangeCursor.ts"
import { TableSource } from "../../../src/internal/structure/tableSource.ts"
import { bytes, hex } from "../../support/model.ts"
import { Dice } from "../../support/randomPlan.ts"

interface Version {
  readonly key: Uint8Array
  readonly sequence: number
  readonly removed: boolean
}

const order = (a: Version, b: Version): number => compareKeys(a.key, b.key) || b.sequence - a.sequence

const blockOf = (versions: ReadonlyArray<Version>): BlockLike => ({
  count: versions.length,
  bytes: new Uint8Array(0),
  read: (index: number, into: EntryView) => {
    const { key, removed, sequence } = versions[index]!
    Object.assign(into, {
      bytes: key,
      keyStart: 0,
      keyEnd: key.length,
      valueStart: 0,
      valueEnd: 0,
      sequence,
      expiresAt: 0
    })
    into.kind = removed ? Kind.remove : Kind.set
  },
  seek: (target, start, end) =>
    firstIndex(versions, (version) => compareKeys(version.key, target.subarray(start, end)) >= 0),
  seekVersion: (target, start, end, sequence) =>
    firstIndex(versions, (version) => {
      const compared = compareKeys(version.key, target.subarray(start, end))
      return compared > 0 || (compared === 0 && version.sequence <= sequence)
    })
})

const firstIndex = <A>(items: ReadonlyArray<A>, test: (item: A) => boolean): number => {
  const index = items.findIndex(test)
  return index < 0 ? items.length : index
}

/** A table whose blocks are in memory only when the dice say so. */
const tableOf = (versions: ReadonlyArray<Version>, dice: Dice) => {
  const blocks: Array<Array<Version>> = []
  for (const version of versions) {
    if (blocks.length === 0 || dice.chance(40)) blocks.push([])
    blocks.at(-1)!.push(version)
  }
  const built = blocks.map(blockOf)
  const table: TableLike = {
    meta: { number: 1, smallest: versions[0]!.key, largest: versions.at(-1)!.key, sequenceMin: 0 },
    blockCount: blocks.length,
    mayContain: () => true,
    blockFor: (target, start, end) =>
      firstIndex(blocks, (block) => compareKeys(block.at(-1)!.key, target.subarray(start, end)) >= 0),
    blockUnsafe: (ordinal) => (dice.chance(50) ? built[ordinal] : undefined)
  }
  return { table, built }
}

const randomVersions = (dice: Dice, from: number): Array<Version> => {
  const versions: Array<Version> = []
  for (let count = 1 + dice.below(14); count > 0; count--) {
    const key = bytes(`01${dice.pick(["61", "6161", "62", "6262", "63", "64", "65"])}`)
    versions.push({ key, sequence: from + versions.length, removed: dice.chance(20) })
  }
  return versions.sort(order)
}

const visible = (all: ReadonlyArray<Version>, sequence: number, range: KeyRange): Array<string> => {
  const keys = new Map<string, Version>()
  for (const version of [...all].sort((a, b) => a.sequence - b.sequence)) {
    if (version.sequence <= sequence) keys.set(hex(version.key), version)
  }
  return [...keys]
    .filter(([, version]) => !version.removed)
    .map(([key]) => key)
    .filter((key) => key >= hex(range.from) && (range.to === undefined || key < hex(range.to)))
    .sort()
}

const walk = (seed: number): void => {
  const dice = new Dice(seed)
  const older = randomVersions(dice, 1)
  const newer = randomVersions(dice, 1 + older.length)
  const all = [...older, ...newer]
  const sequence = 1 + dice.below(all.length + 2)
  const range: KeyRange = {
    from: bytes(dice.pick(["01", "0161", "016262"])),
    fromInclusive: true,
    to: dice.chance(50) ? undefined : bytes(dice.pick(["0164", "0162", "02"])),
    toInclusive: false
  }
  const expected = visible(all, sequence, range)
  const tables = [tableOf(newer, dice), tableOf(older, dice)]
  const merge = () => new Merge(tables.map(({ table }) => new TableSource(table, sequence)))
  const cursor = new RangeCursor(merge(), { range, suffix: undefined, nowMillis: () => 0 })
  let at = -1
  const trail: Array<string> = []
  for (let step = 0; step < 20; step++) {
    if (dice.chance(20)) cursor.rebind(merge())
    const forward = dice.chance(55)
    if (dice.chance(25)) {
      const key = `01${dice.pick(["61", "6162", "62", "63", "65", "66"])}`
      trail.push(`seek ${key} ${forward}`)
      cursor.seek(bytes(key), forward)
      at = forward ? firstIndex(expected, (one) => one >= key) : expected.findLastIndex((one) => one <= key)
    } else {
      trail.push(forward ? "next" : "previous")
      cursor.move(forward)
      at = forward ? Math.min(expected.length, at + 1) : Math.max(-1, at - 1)
    }
    let answer: Step = cursor.run()
    while (answer === Step.block) {
      const { request } = cursor
      const { built } = tables.find(({ table }) => table === request!.table)!
      if (dice.chance(10)) cursor.rebind(merge())
      else request!.block = built[request!.ordinal]
      answer = cursor.run()
    }
    const found = answer === Step.ready ? hex(cursor.currentKey) : undefined
    assert.strictEqual(
      found,
      expected[at],
      `seed ${seed}, at ${sequence}: ${trail.join(", ")} of ${expected.join(" ")}`
    )
  }
}

describe("a range cursor", () => {
  it("walks any merge of tables in both directions, whatever blocks are missing", () => {
    for (let seed = 1; seed <= 4000; seed++) walk(seed)
  })
})
