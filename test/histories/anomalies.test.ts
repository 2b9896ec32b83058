// The checker finds every anomaly where it was planted, says which it is, and finds none where there is none. What
// snapshot isolation allows is no anomaly of its transactions.
import { assert, describe, it } from "@effect/vitest"
import { check, type Kind } from "./checker.ts"
import { history, type Line } from "./written.ts"

interface Planted {
  readonly name: string
  readonly lines: ReadonlyArray<Line>
  readonly serializable: ReadonlyArray<Kind>
  readonly snapshot: ReadonlyArray<Kind>
}

const both = (name: string, kind: Kind, lines: ReadonlyArray<Line>): Planted => ({
  name,
  lines,
  serializable: [kind],
  snapshot: [kind]
})

/** Found where it is promised to be absent, and only there. */
const skew = (name: string, kind: Kind, lines: ReadonlyArray<Line>): Planted => ({
  name,
  lines,
  serializable: [kind],
  snapshot: []
})

const none = (name: string, lines: ReadonlyArray<Line>): Planted => ({ name, lines, serializable: [], snapshot: [] })

const direct: ReadonlyArray<Planted> = [
  both("a read of what was aborted", "G1a", [{ does: "a x 1", outcome: "aborted" }, "r x 1"]),
  both("a scan of what was aborted", "G1a", [{ does: "a x 1", outcome: "aborted" }, "s a z x:1"]),
  both("what was aborted, under what was not", "G1a", [{ does: "a x 1", outcome: "aborted" }, "a x 2", "r x 1 2"]),
  both("a read of what its writer wrote again", "G1b", ["a x 1; a x 2", "r x 1"]),
  both("a read of what its writer removed", "G1b", [
    { does: "a x 1; d x y", sequence: 1 },
    { does: "r x 1", sequence: 2 }
  ]),
  both("a read that is not what was read before", "internal", ["a x 1", "r x; r x 1"]),
  both("a scan that is not what was read before", "internal", ["a x 1", "r x 1; s a z"]),
  both("a read without what was appended before", "internal", ["r x; a x 1; r x"]),
  both("a read of what was removed before", "internal", [
    { does: "a x 1", sequence: 1 },
    { does: "r x 1; d a z; r x 1", sequence: 2 }
  ]),
  both("a scan that is out of order", "internal", ["a x 1; a y 2", "s a z y:2 x:1"]),
  both("an element that nobody appended", "foreign", ["a x 1", "r x 7"]),
  both("an element of another key", "foreign", ["a x 1; a y 2", "r x 2"]),
  both("an element that is there twice", "foreign", ["a x 1", "r x 1 1"]),
  both("a list without its beginning", "foreign", [
    { does: "a x 1", sequence: 1 },
    { does: "r x 1; a x 2", sequence: 2 },
    "r x 2"
  ]),
  both("lists of which neither begins the other", "disorder", ["a x 1", "a x 2", "r x 1 2", "r x 2"]),
  both("another state than that of the moment", "moment", [
    { does: "a x 1", sequence: 1 },
    { does: "r x", snapshot: 1 }
  ]),
  both("another count than that of the moment", "moment", [
    { does: "a x 1; a y 2", sequence: 1 },
    { does: "n a z 1", snapshot: 1 }
  ])
]

const cycles: ReadonlyArray<Planted> = [
  both("writes that are interleaved", "G0", ["a x 1; a y 2", "a x 3; a y 4", "r x 1 3; r y 4 2"]),
  both("writes that are interleaved among three", "G0", [
    "a x 1; a z 6",
    "a x 2; a y 3",
    "a y 4; a z 5",
    "r x 1 2",
    "r y 3 4",
    "r z 5 6"
  ]),
  both("two that read each other's writes", "G1c", ["a x 1; r y 2", "a y 2; r x 1"]),
  both("one that reads what was overwritten by what it wrote before", "G1c", [
    "a x 1; r y 3",
    "a x 2; a y 3",
    "r x 1 2; r y 3"
  ]),
  both("half of what another wrote", "G-single", ["a x 1; a y 2", "r x 1; r y"]),
  both("a range without half of what another wrote", "G-single", ["a x 1; a y 2", "s a z x:1"]),
  both("an update that is lost", "G-single", [
    { does: "r x; a x 1", sequence: 1 },
    { does: "r x; a x 2", sequence: 2 }
  ]),
  both("an update that is lost under a removal", "G-single", [
    { does: "a x 1", sequence: 1 },
    { does: "d a z; a y 2", sequence: 2 },
    { does: "r x 1; r y; a x 3", sequence: 3 }
  ]),
  both("two readers that see two writers in other orders", "G-nonadjacent", [
    "a x 1",
    "a y 2",
    "r x 1; r y",
    "r x; r y 2"
  ]),
  both("a read of what was there before the session began", "G-single-session", [
    { does: "a x 1", session: 1, begin: 1, end: 2 },
    { does: "r x", session: 1, begin: 3, end: 4 }
  ]),
  both("a read of what was there before", "G-single-time", [
    { does: "a x 1", begin: 1, end: 2 },
    { does: "r x", begin: 3, end: 4 }
  ]),
  both("a write before one that had ended", "G0-time", [
    { does: "a x 1", begin: 1, end: 2 },
    { does: "a x 2", begin: 3, end: 4 },
    { does: "r x 2 1", begin: 5, end: 6 }
  ]),
  both("a read from the future", "G1c-time", [
    { does: "r x 1", begin: 1, end: 2 },
    { does: "a x 1", begin: 3, end: 4 }
  ]),
  both("one of whom nobody knows whether it committed, seen by half", "G-single", [
    { does: "a x 1; a y 2", outcome: "unknown", end: undefined },
    "r x 1; r y"
  ]),
  skew("two that do not see each other's writes", "G2-item", ["r x; r y; a x 1", "r x; r y; a y 2"]),
  skew("two that do not see what the other puts into a range", "G2", ["s a z; a x 1", "s a z; a y 2"]),
  skew("a range that is read while it is removed", "G2", [
    { does: "a x 1", sequence: 1 },
    { does: "s p z x:1; a b 2", sequence: 2 },
    { does: "s a c; d p z", sequence: 3 }
  ]),
  {
    name: "two that count what the other changes",
    lines: [
      { does: "n a z 0; a x 1", sequence: 1, snapshot: 0 },
      { does: "n a z 0; a y 2", sequence: 2, snapshot: 0 }
    ],
    serializable: ["overtaken", "G2"],
    snapshot: []
  },
  skew("what another wrote before it committed", "overtaken", [
    { does: "r x; a y 1", sequence: 2, snapshot: 0 },
    { does: "a x 2", sequence: 1, snapshot: 0 }
  ]),
  skew("a reader between two (Fekete 2004)", "G2-item", ["r x; r y; a x 1", "r y; a y 2", "r x; r y 2"])
]

const harmless: ReadonlyArray<Planted> = [
  none("one after the other", ["r x; a x 1", "r x 1; a x 2", "r x 1 2; r y"]),
  none("what was aborted, and nobody saw", [{ does: "a x 1", outcome: "aborted" }, "r x; s a z"]),
  none("one of whom nobody knows whether it committed, seen by nobody", [
    { does: "a x 1; a y 2", outcome: "unknown", end: undefined },
    "r x; r y"
  ]),
  none("a removal that everybody saw", [
    { does: "a x 1; a y 2", sequence: 1 },
    { does: "s a z x:1 y:2; d a z", sequence: 2 },
    { does: "s a z; r x; a x 3", sequence: 3, snapshot: 2 },
    { does: "n a z 1; r x 3", snapshot: 3 }
  ]),
  none("absences before and after", [
    { does: "r x", snapshot: 0 },
    { does: "a x 1", sequence: 1 },
    { does: "d x y", sequence: 2 },
    { does: "d x y", sequence: 3 },
    { does: "r x", snapshot: 3, begin: 2000, end: 2001 }
  ]),
  none("own writes, and removals of them", [
    { does: "r x; a x 1; r x 1; d a z; r x; a x 2; r x 2; s a z x:2; n a z 1", sequence: 1 }
  ])
]

describe.each([
  ["what is wrong without any order", direct],
  ["cycles", cycles],
  ["nothing", harmless]
])("the checker finds %s:", (_, cases) => {
  describe.each(["serializable", "snapshot"] as const)("%s", (level) => {
    it.each(cases)("$name", (planted) => {
      const found = check(history(planted.lines, { level }))
      const explanations = found.map(({ explanation }) => explanation).join("\n")
      assert.deepStrictEqual([...new Set(found.map(({ kind }) => kind))], planted[level], explanations)
      assert.deepStrictEqual(
        check(history(planted.lines, { level: "serializable" })).length > 0,
        planted.serializable.length > 0
      )
    })
  })
})

describe("transactions of both levels", () => {
  const reads = (level: "serializable" | "snapshot", does: string) => ({ level, does })

  it("may skew only through those of snapshot isolation", () => {
    const kinds = (first: "serializable" | "snapshot", second: "serializable" | "snapshot") =>
      check(history([reads(first, "r x; r y; a x 1"), reads(second, "r x; r y; a y 2")])).map(({ kind }) => kind)
    assert.deepStrictEqual(kinds("snapshot", "snapshot"), [])
    assert.deepStrictEqual(kinds("serializable", "snapshot"), [])
    assert.deepStrictEqual(kinds("serializable", "serializable"), ["G2-item"])
  })
})

describe("an explanation", () => {
  it("names the transactions, what they did, and why each came before the next", () => {
    const [found] = check(history(["r x; r y; a x 1", "r x; r y; a y 2"]))
    assert.strictEqual(
      found!.explanation,
      [
        "G2-item: no order of these 2 transactions explains them",
        "  T1 (session 1, serializable, committed): read x []; read y []; append x 1",
        "  T2 (session 2, serializable, committed): read x []; read y []; append y 2",
        "  T1 -rw-> T2  y: its absence, and not yet 2",
        "  T2 -rw-> T1  x: its absence, and not yet 1"
      ].join("\n")
    )
  })
})
