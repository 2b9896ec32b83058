// The gates that are too slow for every run, `npm run mutants` and `npm run coverage`: that what they look for in the
// sources is still there, and that they can tell good from bad.
import { assert, describe, it } from "@effect/vitest"
import { errorSites, Reached } from "../scripts/reached/branches.ts"
import { parts } from "../scripts/reached/files.ts"
import { reasons } from "../scripts/reached/reasons.ts"
import { withoutEquivalent } from "../scripts/mutants/equivalent.ts"
import { applyEdits, findMutants } from "../scripts/mutants/find.ts"
import { sampleOf } from "../scripts/mutants/sample.ts"
import { readSources } from "../scripts/mutants/sandbox.ts"
import { SeededRandom } from "../src/internal/structure/random.ts"

const sources = readSources()

describe("the mutants", () => {
  const found = findMutants(sources)
  const { missing, mutants } = withoutEquivalent(found.mutants)

  it("are all found in the sources, and those that nobody can see too", () => {
    assert.deepStrictEqual([...found.missing, ...missing], [])
    assert.isAtLeast(mutants.length, 200)
    for (const { edits, file } of mutants)
      assert.notStrictEqual(applyEdits(sources.get(file)!, edits), sources.get(file))
  })

  it("give a sample by seed: of each file one before a second of any", () => {
    const sample = sampleOf(mutants, 100, new SeededRandom(1))
    assert.lengthOf(sample, 100)
    assert.strictEqual(new Set(sample).size, 100)
    const files = new Set(mutants.map(({ file }) => file))
    assert.strictEqual(new Set(sample.map(({ file }) => file)).size, Math.min(files.size, 100))
    assert.deepStrictEqual(sampleOf(mutants, 100, new SeededRandom(1)), sample)
    assert.notDeepEqual(sampleOf(mutants, 100, new SeededRandom(2)), sample)
    assert.sameMembers([...sampleOf(mutants, mutants.length, new SeededRandom(3))], [...mutants])
  })
})

describe("the branches", () => {
  const text = ["const f = (a) => {", "  // why", "  if (a) return one()", "  return a ?? two()", "}", ""].join("\n")
  const places = (code: string) => ({
    startOffset: text.indexOf(code),
    endOffset: text.indexOf(code) + code.length
  })
  const whole = { startOffset: 0, endOffset: text.length, count: 1 }
  const script = (...ranges: ReadonlyArray<{ startOffset: number; endOffset: number; count: number }>) => ({
    functions: [{ ranges: [whole] }, { ranges }]
  })
  const body = { startOffset: 10, endOffset: text.length - 1 }

  it("that no process has run are told by line and code", () => {
    const reached = new Reached(text)
    assert.deepStrictEqual(reached.unreached(), [{ line: 1, code: "«const f = (a) => {" }])
    reached.learn(script({ ...body, count: 0 }))
    assert.deepStrictEqual(reached.unreached(), [{ line: 1, code: "const f = («a) => {" }])
    reached.learn(
      script({ ...body, count: 3 }, { ...places(" return one()"), count: 0 }, { ...places("two()"), count: 0 })
    )
    assert.deepStrictEqual(reached.unreached(), [
      { line: 3, code: "if (a) «return one()" },
      { line: 4, code: "return a ?? «two()" }
    ])
    assert.deepStrictEqual(reached.unreachedOf(/\bone\(|\bf\b/g), [{ line: 3, code: "if (a) return «one()" }])
    reached.learn(script({ ...body, count: 1 }, { ...places("  return a ?? two()\n}"), count: 0 }))
    assert.deepStrictEqual(reached.unreached(), [{ line: 4, code: "return a ?? «two()" }])
  })

  it("of errors are found by the names that the sources give them", () => {
    const pattern = errorSites(sources.get("src/services/DatabaseError.ts")!)
    const code =
      'fail(new Stale({ file })) || invalid("a") || new FormatError("b", 0) || new Error("c") || new Staleness()'
    assert.deepStrictEqual(
      [...code.matchAll(pattern)].map(([site]) => site),
      ["new Stale(", "invalid(", "new FormatError("]
    )
  })

  it("that have a reason, and the files of which all are looked at, are there", () => {
    for (const [part, files] of parts) for (const file of files) assert.isTrue(sources.has(file), `${part}: ${file}`)
    for (const { code, file } of reasons) {
      assert.include(sources.get(file), code.replace("«", ""), `${file}: look at its reason again`)
    }
  })
})
