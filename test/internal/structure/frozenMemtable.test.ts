import { assert, describe, it } from "@effect/vitest"
import { makeEntryView } from "../../../src/internal/format/blockEntry.ts"
import { Kind, recordBytes, recordFields, writeRecord } from "../../../src/internal/format/record.ts"
import { Arena } from "../../../src/internal/structure/arena.ts"
import { MemtableVersions, VersionLister, versionWords } from "../../../src/internal/structure/frozenMemtable.ts"
import { Memtable } from "../../../src/internal/structure/memtable.ts"
import { Step } from "../../../src/internal/structure/versionSource.ts"
import { byKey } from "../../support/jobPlan.ts"
import { fromView, latin1, type Plain, plain } from "../format/entries.ts"
import { type Dice, manySeeds } from "../format/support.ts"

/** Random versions as a memtable takes them; some of them lie in the arena and were given up. */
const filled = (dice: Dice) => {
  const memtable = new Memtable(new Arena(new SharedArrayBuffer(64 * 1024)))
  const names = Array.from({ length: 1 + dice.below(20) }, () =>
    Buffer.from(dice.bytes(dice.below(4))).toString("latin1")
  )
  const points: Array<Plain> = []
  let sequence = dice.chance(0.5) ? 0 : 2 ** 40
  for (let count = dice.below(200); count > 0; count--) {
    sequence += 1 + dice.below(3)
    const kind = dice.chance(0.2) ? Kind.remove : Kind.set
    const isSet = kind === Kind.set
    const point = plain(dice.pick(names), {
      kind,
      sequence,
      value: isSet ? "v".repeat(dice.below(9)) : "",
      expiresAt: isSet && dice.chance(0.2) ? 77 : 0,
      userMeta: isSet && dice.chance(0.2) ? 5 : 0
    })
    const fields = recordFields({ ...point, key: latin1(point.key), value: latin1(point.value) })
    const offset = memtable.reserve(recordBytes(fields))
    writeRecord(memtable.bytes, offset, fields)
    if (dice.chance(0.1)) continue
    memtable.put(offset, sequence)
    points.push(point)
  }
  return { memtable, names, points: points.sort(byKey) }
}

const listed = (memtable: Memtable, sliceMax: number): Uint32Array => {
  const list = new Uint32Array(memtable.entryCount * versionWords)
  const lister = new VersionLister(memtable, list)
  for (let slices = 1; !lister.slice(sliceMax); slices++) assert.isAtMost(slices, memtable.entryCount / sliceMax)
  return list
}

describe("a frozen memtable", () => {
  it("is listed in slices: every version that was indexed, in table order", () => {
    manySeeds(300, (dice) => {
      const { memtable, names, points } = filled(dice)
      const versions = listed(memtable, 1 + dice.below(10))
      const ends = [undefined, ...names, ...names.map((name) => `${name}\0`)]
      const [from, to] = [dice.pick(ends), dice.pick(ends)]
      const source = new MemtableVersions(
        { bytes: memtable.bytes.subarray(0, memtable.used), versions, rangeRemovals: [] },
        { from: from === undefined ? undefined : latin1(from), to: to === undefined ? undefined : latin1(to) }
      )
      const found: Array<Plain> = []
      while (source.advance() === Step.version) found.push(fromView(source.entry))
      assert.strictEqual(source.advance(), Step.end)
      const expected = points.filter(({ key }) => (from === undefined || key >= from) && (to === undefined || key < to))
      assert.deepStrictEqual(found, expected)
    })
  })

  it("needs nothing from a disk", () => {
    const source = new MemtableVersions(
      { bytes: new Uint8Array(0), versions: new Uint32Array(0), rangeRemovals: [] },
      { from: undefined, to: undefined }
    )
    assert.strictEqual(source.advance(), Step.end)
    assert.throws(() => source.request(), /in memory/)
    assert.strictEqual(makeEntryView().kind, source.entry.kind)
  })
})
