// Somebody changes the bytes of a database's files, plain and encrypted: see test/support/tamperings.ts for what has to
// come of it, and what is harmless by design. test/tamperedFiles.test.ts is about parts and files that are moved.
//
// Every 29th byte is flipped, which takes about ten seconds with all else; STRATA_TAMPER=1 flips every one, in some
// minutes. Every byte of a smaller plain database is flipped in test/damage.test.ts and valueDamage.test.ts.
import { assert, describe, it } from "@effect/vitest"
import { FrameKind } from "../src/internal/format/logFrame.ts"
import { Layout } from "../src/internal/format/storedBlock.ts"
import type { OpenOptions } from "./support/opened.ts"
import { pathsOf } from "./support/scenario.ts"
import { SimKeys } from "./support/simKeys.ts"
import { judge, observe, type Verdict } from "./support/tamperJudge.ts"
import { type Change, flips, forgeries, hasFrames, lastSegment, lengths } from "./support/tamperings.ts"
import { blocksOf, framesOf, kindOf, type Part } from "./support/tamperParts.ts"
import { makeChained, makeTargets, type Target } from "./support/tamperTarget.ts"

const step = Number(process.env.STRATA_TAMPER ?? 29)
const manyMillis = step < 29 ? 3_600_000 : 120_000

const modes: ReadonlyArray<readonly [string, OpenOptions]> = [
  ["plain", {}],
  ["encrypted", { encryption: new SimKeys(1).layer(1) }]
]

const tried = (changes: Iterable<Change>, options: OpenOptions): Map<Verdict, number> => {
  const counts = new Map<Verdict, number>()
  for (const change of changes) {
    const verdict = judge(observe(change.image, options), change)
    assert.include(change.verdicts, verdict, change.where)
    counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
  }
  return counts
}

const sum = (counts: Map<Verdict, number>): number => [...counts.values()].reduce((all, one) => all + one, 0)

/** `crashed` has the tables and values of `closed`. */
const pathsIn = ({ image, name }: Target): ReadonlyArray<string> =>
  [...image.keys()].filter((path) => name === "closed" || hasFrames(path) || kindOf(path) === "current")

for (const [mode, options] of modes) {
  describe(`the bytes of a database (${mode})`, () => {
    const { closed, crashed } = makeTargets({ options, salt: "a", seed: 1 })
    const chained = makeChained({ options, salt: "a", seed: 1 })
    const untouched = ({ contents, image }: Target) =>
      judge(observe(image, options), { where: "untouched", contents, files: [], reasons: [] })

    it("are right as long as nobody touches them", () => {
      for (const target of [closed, crashed, chained]) assert.strictEqual(untouched(target), "unseen")
    })

    it("are of every kind of file, section and frame", () => {
      const { image } = closed
      const blocks = [...blocksOf(image, options)].flatMap(([path, parts]) =>
        parts.map(({ end, offset }) => {
          const trailer = end - image.get(path)![11]! - 6
          const [layout, codec] = image.get(path)!.subarray(trailer)
          return { first: image.get(path)![offset]!, layout: layout!, codec: codec! }
        })
      )
      assert.deepStrictEqual(
        [...new Set(blocks.map(({ layout }) => layout))].sort((a, b) => a - b),
        Object.values(Layout)
      )
      assert.deepStrictEqual([...new Set(blocks.map(({ codec }) => codec))].sort(), [0, 1])
      // The top of a value file begins with the count of its sections.
      if (mode === "plain") assert.isTrue(blocks.some(({ first, layout }) => layout === Layout.valueTop && first > 1))
      const kinds = new Set([...image.keys()].map(kindOf))
      assert.strictEqual(kinds.size, mode === "plain" ? 5 : 6)
      const frames = [closed, crashed, chained].flatMap((target) =>
        pathsOf(target.image, "log").flatMap((path) =>
          framesOf(path, target.image.get(path)!).map(({ offset }) => target.image.get(path)![offset + 8]!)
        )
      )
      const { first, full, last, link, middle, sealed } = FrameKind
      assert.includeMembers(frames, [full, first, middle, last, sealed, link])
    })

    for (const target of [closed, crashed]) {
      it(
        `a flipped bit is noticed or harmless (${target.name})`,
        () => {
          const counts = tried(
            pathsIn(target).flatMap((path) => [...flips(target, path, step)]),
            options
          )
          assert.isAbove(counts.get("refused")!, 0)
          assert.isAbove(sum(counts), 3000 / step)
        },
        manyMillis
      )

      it(`a file that ends elsewhere is noticed, or a tail (${target.name})`, () => {
        const blocks = blocksOf(target.image, options)
        const partsOf = (path: string): ReadonlyArray<Part> =>
          hasFrames(path) ? framesOf(path, target.image.get(path)!) : (blocks.get(path) ?? [])
        const counts = tried(
          pathsIn(target).flatMap((path) => [...lengths(target, path, partsOf(path))]),
          options
        )
        assert.isAbove(sum(counts), 60)
      })
    }

    it("a group of several frames is whole, or none of it", () => {
      const path = lastSegment(chained)
      const frames = framesOf(path, chained.image.get(path)!)
      assert.isAbove(frames.length, 4)
      const counts = tried(lengths(chained, path, frames), options)
      for (const [verdict, count] of tried(flips(chained, path, 300_007), options)) {
        counts.set(verdict, (counts.get(verdict) ?? 0) + count)
      }
      assert.isAbove(sum(counts), 30)
    })
  })
}

describe("headers that somebody has forged, with their checksums put right", () => {
  it(
    "are noticed in an encrypted database",
    () => {
      const [, options] = modes[1]!
      const { closed, crashed } = makeTargets({ options, salt: "a", seed: 1 })
      const some = step === 1 ? 1 : 7
      for (const target of [closed, crashed]) {
        const changes = pathsIn(target).flatMap((path) => [...forgeries(target, path)])
        const counts = tried(
          changes.filter((_, index) => index % some === 0),
          options
        )
        assert.isAbove(sum(counts), 100)
      }
    },
    manyMillis
  )
})
