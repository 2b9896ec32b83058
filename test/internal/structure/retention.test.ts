import { assert, describe, it } from "@effect/vitest"
import { Kind } from "../../../src/internal/format/record.ts"
import { KeySpans } from "../../../src/internal/structure/keySpans.ts"
import { RemovalStripes } from "../../../src/internal/structure/removalStripes.ts"
import { Retention } from "../../../src/internal/structure/retention.ts"
import { byKey, type Held, keptPoints, type PlainRemoval } from "../../support/jobPlan.ts"
import { fromView, latin1, type Plain, plain, toView } from "../format/entries.ts"
import { manySeeds } from "../format/support.ts"

interface Given {
  /** In any order. */
  readonly points: ReadonlyArray<Plain>
  readonly removals?: ReadonlyArray<PlainRemoval>
  readonly snapshots: ReadonlyArray<number>
  readonly nowMillis?: number
  /** Bounds of deeper tables. */
  readonly deeper?: ReadonlyArray<readonly [string, string]>
}

const kept = ({ deeper = [], nowMillis = 0, points, removals = [], snapshots }: Given): ReadonlyArray<Plain> => {
  const spans = new KeySpans(
    deeper.map(([smallest, largest]) => ({ smallest: latin1(smallest), largest: latin1(largest) }))
  )
  const stripes = new RemovalStripes({
    removals: removals.map(({ from, sequence, to }) => ({ from: latin1(from), to: latin1(to), sequence })),
    span: { from: undefined, to: undefined },
    snapshots,
    deeper: spans
  })
  const retention = new Retention({ snapshots, nowMillis, removals: stripes, deeper: spans })
  return [...points].sort(byKey).flatMap((point) => {
    const view = toView(point)
    return retention.keeps(view) ? [fromView(view)] : []
  })
}

/** `set@5`, as a version of the key. */
const version = (text: string, key = "k"): Plain => {
  const [kind, sequence, expiresAt = "0"] = text.split(/[@!]/)
  const isRemove = kind === "rm"
  return plain(key, {
    kind: isRemove ? Kind.remove : Kind.set,
    sequence: Number(sequence),
    expiresAt: Number(expiresAt)
  })
}

const shown = (points: ReadonlyArray<Plain>): string =>
  points
    .map(({ expiresAt, kind, sequence }) => {
      const name = kind === Kind.remove ? "rm" : "set"
      return `${name}@${sequence}${expiresAt > 0 ? `!${expiresAt}` : ""}`
    })
    .join(" ")

interface Row {
  readonly name: string
  readonly versions: string
  readonly snapshots: ReadonlyArray<number>
  readonly removal?: number
  readonly deeper?: boolean
  readonly kept: string
}

const rows: ReadonlyArray<Row> = [
  { name: "one snapshot sees the newest only", versions: "set@9 set@5 set@1", snapshots: [10], kept: "set@9" },
  { name: "each snapshot sees one", versions: "set@9 set@5 set@1", snapshots: [1, 8, 10], kept: "set@9 set@5 set@1" },
  { name: "two snapshots may see the same", versions: "set@9 set@5 set@1", snapshots: [6, 7], kept: "set@9 set@5" },
  {
    name: "above the last snapshot all stay",
    versions: "set@9 set@8 set@5 set@1",
    snapshots: [6],
    kept: "set@9 set@8 set@5"
  },
  { name: "without snapshots all stay", versions: "set@9 rm@8 set@1", snapshots: [], kept: "set@9 rm@8 set@1" },
  { name: "a removal that all see goes at the bottom", versions: "rm@9 set@5", snapshots: [10], kept: "" },
  { name: "it stays above deeper tables", versions: "rm@9 set@5", snapshots: [10], deeper: true, kept: "rm@9" },
  { name: "one that some do not see stays", versions: "rm@9 set@5", snapshots: [5, 10], kept: "rm@9 set@5" },
  { name: "one with nothing under it stays for them too", versions: "rm@9", snapshots: [5, 10], kept: "rm@9" },
  { name: "below a newer entry it goes with the rest", versions: "set@9 rm@5 set@1", snapshots: [10], kept: "set@9" },
  {
    name: "what was removed between snapshots is kept for the old one",
    versions: "set@9 rm@5 set@1",
    snapshots: [3, 10],
    kept: "set@9 set@1"
  },
  { name: "a range removal hides what is older", versions: "set@5", removal: 6, snapshots: [10], kept: "" },
  { name: "one of the same commit does not", versions: "set@5", removal: 5, snapshots: [10], kept: "set@5" },
  { name: "nor one that the snapshot does not see", versions: "set@5", removal: 6, snapshots: [5, 10], kept: "set@5" },
  { name: "nor one above the last", versions: "set@5", removal: 12, snapshots: [10], kept: "set@5" },
  { name: "what it hides hides what is older still", versions: "set@5 set@4", removal: 6, snapshots: [10], kept: "" },
  {
    name: "it hides removals too, also above deeper tables",
    versions: "rm@5",
    removal: 6,
    snapshots: [10],
    deeper: true,
    kept: ""
  },
  { name: "an expired entry becomes a removal and goes", versions: "set@5!50 set@4", snapshots: [10], kept: "" },
  { name: "or stays as one", versions: "set@5!50 set@4", snapshots: [10], deeper: true, kept: "rm@5" },
  { name: "one that expires later is an entry", versions: "set@5!51", snapshots: [10], kept: "set@5!51" },
  { name: "an expired entry is one for every snapshot", versions: "set@9 set@5!50", snapshots: [6, 10], kept: "set@9" }
]

describe("retention", () => {
  it.each(rows)("$name: $versions → $kept", ({ deeper, kept: expected, removal, snapshots, versions }) => {
    const found = kept({
      points: versions.split(" ").map((text) => version(text)),
      removals: removal === undefined ? [] : [{ from: "a", to: "z", sequence: removal }],
      snapshots,
      nowMillis: 50,
      deeper: deeper === true ? [["j", "l"]] : []
    })
    assert.strictEqual(shown(found), expected)
  })

  it("takes the same version of two sources once", () => {
    assert.strictEqual(shown(kept({ points: [version("set@5"), version("set@5")], snapshots: [] })), "set@5")
    assert.strictEqual(shown(kept({ points: [version("rm@5"), version("rm@5")], snapshots: [9] })), "")
  })

  it("says which version is the first of its key that is kept", () => {
    const spans = new KeySpans([])
    const removals = new RemovalStripes({
      removals: [{ from: latin1("a"), to: latin1("b"), sequence: 4 }],
      span: { from: undefined, to: undefined },
      snapshots: [1, 2, 5],
      deeper: spans
    })
    const retention = new Retention({ snapshots: [1, 2, 5], nowMillis: 0, removals, deeper: spans })
    const firsts = ["a@6", "a@3", "a@2", "a@1", "b@3"].map((text) => {
      const [key, sequence] = text.split("@")
      return retention.keeps(toView(plain(key!, { sequence: Number(sequence) }))) ? retention.isFirstOfKey : undefined
    })
    assert.deepStrictEqual(firsts, [true, undefined, false, false, true])
  })

  it("keeps what the words say, for any versions, snapshots and removals", () => {
    manySeeds(2000, (dice) => {
      const names = ["", "a", "ab", "ab\0", "b"]
      const points = new Map<string, Plain>()
      for (let count = dice.below(25); count > 0; count--) {
        const kind = dice.chance(0.3) ? Kind.remove : Kind.set
        const expiresAt = kind === Kind.set && dice.chance(0.3) ? 1 + dice.below(100) : 0
        const point = plain(dice.pick(names), { kind, sequence: 1 + dice.below(30), expiresAt })
        points.set(`${point.key}@${point.sequence}`, point)
      }
      const removals = Array.from({ length: dice.below(6) }, () => {
        const [from, to] = [dice.pick(names), dice.pick([...names, "b\0", "c"])].sort()
        return { from: from!, to: to!, sequence: 1 + dice.below(30) }
      })
      const snapshots = [...new Set(Array.from({ length: dice.below(5) }, () => dice.below(32)))].sort((a, b) => a - b)
      const nowMillis = dice.below(100)
      const deeper = dice.chance(0.5) ? [] : ([["aa", dice.pick(["ab", "ab\0", "c"])]] as const)
      const source: Held = { points: [...points.values()], removals }
      const work = { snapshots, nowMillis, from: undefined, to: undefined }
      const expected = keptPoints([source], work, (key) => deeper.some(([first, last]) => first <= key && key <= last))
      assert.deepStrictEqual(kept({ ...source, snapshots, nowMillis, deeper }), expected)
    })
  })
})
