// A run cut into tables and blocks at random, against one sorted list of what the reader sees.
import { assert, describe, it } from "@effect/vitest"
import { compareKeys } from "../../../src/internal/structure/keyRange.ts"
import { RunSource } from "../../../src/internal/structure/runSource.ts"
import { firstIndex, LooseTable, order, runOf, type Version } from "../../support/looseTables.ts"
import { bytes, hex } from "../../support/model.ts"
import { Dice } from "../../support/randomPlan.ts"

const letters = ["61", "6161", "62", "6262", "63", "64", "65", "66", "6700"]

const randomVersions = (dice: Dice): Array<Version> => {
  const versions: Array<Version> = []
  for (let count = 1 + dice.below(30); count > 0; count--)
    versions.push({ key: bytes(`01${dice.pick(letters)}`), sequence: 1 + versions.length, removed: dice.chance(20) })
  return versions.sort(order)
}

/** Each key once, at its newest version that the reader sees. */
const visible = (versions: ReadonlyArray<Version>, sequence: number): ReadonlyArray<Version> =>
  versions
    .filter((version) => version.sequence <= sequence)
    .filter(({ key }, index, all) => index === 0 || compareKeys(all[index - 1]!.key, key) !== 0)

const settle = (source: RunSource): void => {
  for (let request = source.resume(); request !== undefined; request = source.resume())
    (request.table as LooseTable).answer(request)
}

const shown = ({ entry, valid }: RunSource): string | undefined =>
  valid ? `${hex(entry.bytes.subarray(entry.keyStart, entry.keyEnd))}@${entry.sequence}` : undefined

const walk = (seed: number): void => {
  const dice = new Dice(seed)
  const versions = randomVersions(dice)
  const sequence = dice.below(versions.length + 2)
  const expected = visible(versions, sequence)
  const source = new RunSource(runOf(versions, dice), sequence)
  const trail: Array<string> = []
  let at = -1
  for (let step = 0; step < 25; step++) {
    const forward = dice.chance(55)
    const isOutside = at < 0 || at >= expected.length
    if (isOutside || dice.chance(30)) {
      if (dice.chance(20)) {
        trail.push(`end ${forward}`)
        source.seekEnd(forward)
        at = forward ? 0 : expected.length - 1
      } else {
        const key = bytes(`01${dice.pick([...letters, "60", "6163", "6666", "68"])}`)
        const inclusive = dice.chance(50)
        trail.push(`seek ${hex(key)} ${forward} ${inclusive}`)
        source.seek({ key, start: 0, end: key.length, forward, inclusive })
        const limit = inclusive ? 0 : 1
        at = forward
          ? firstIndex(expected, (one) => compareKeys(one.key, key) >= limit)
          : expected.findLastIndex((one) => compareKeys(one.key, key) <= -limit)
      }
      // A move that was begun may be given up for another search.
      if (dice.chance(10)) {
        source.resume()
        at = -1
        continue
      }
    } else {
      trail.push(forward ? "next" : "previous")
      source.move(forward)
      at += forward ? 1 : -1
    }
    settle(source)
    const due = expected[at]
    const wanted = due === undefined ? undefined : `${hex(due.key)}@${due.sequence}`
    assert.strictEqual(shown(source), wanted, `seed ${seed}, at ${sequence}: ${trail.join(", ")}`)
  }
}

describe("a run as a source", () => {
  it("is one sorted list, walked from any place in both directions, whatever of it is missing", () => {
    for (let seed = 1; seed <= 6000; seed++) walk(seed)
  })

  it("asks for nothing of tables that the walk does not reach, or whose versions are all too new", () => {
    const dice = new Dice(1)
    const one = (letter: string, sequence: number) =>
      new LooseTable([{ key: bytes(`01${letter}`), sequence, removed: false }], dice)
    const [a, b, c, d, e] = [one("61", 1), one("62", 1), one("63", 9), one("64", 1), one("65", 1)]
    const source = new RunSource([a, b, c, d, e], 5)
    const key = bytes("0162")
    source.seek({ key, start: 0, end: 2, forward: true, inclusive: true })
    settle(source)
    assert.strictEqual(shown(source), "0162@1")
    source.move(true)
    settle(source)
    assert.strictEqual(shown(source), "0164@1")
    assert.deepStrictEqual(
      [a, b, c, d, e].map(({ asked }) => asked > 0),
      [false, true, false, true, false]
    )
  })
})
