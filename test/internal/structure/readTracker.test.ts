import { assert, describe, it } from "@effect/vitest"
import { ReadTracker } from "../../../src/internal/structure/readTracker.ts"
import { utf8 } from "../format/support.ts"

const from = (key: string, to?: string) => ({
  from: utf8(key),
  fromInclusive: true,
  to: to === undefined ? undefined : utf8(to),
  toInclusive: false
})

const readAll = { from: new Uint8Array(0), fromExclusive: false, to: undefined, toInclusive: true }

describe("readTracker", () => {
  it("remembers ranges with an end and without one", () => {
    const tracker = new ReadTracker(1000)
    const [bounded, open] = [tracker.range(from("a", "c")), tracker.range(from("m"))]
    assert.deepStrictEqual(tracker.ranges, [bounded, open])
    assert.deepInclude(open, { from: utf8("m"), fromExclusive: false, to: undefined })
  })

  it("takes all to have been read where it has no room", () => {
    const tracker = new ReadTracker(100)
    tracker.range(from("a", "c"))
    tracker.key(utf8("k".repeat(200)), 0, 200)
    assert.deepStrictEqual(tracker.keys, [])
    assert.lengthOf(tracker.ranges, 1)
    assert.deepInclude(tracker.ranges[0], { from: readAll.from, to: undefined })
    tracker.range(from("x"))
    tracker.key(utf8("k"), 0, 1)
    assert.lengthOf(tracker.ranges, 1)
  })
})
