import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { lex } from "./support/lexer.ts"
import { Source } from "./support/source.ts"
import { effectReached, type Rule, rules, workerEntry } from "./support/tidyRules.ts"
import { samples } from "./support/tidySamples.ts"

const root = new URL("../", import.meta.url)
const testLinesHint = 400

const filesUnder = (folder: string): ReadonlyArray<string> =>
  readdirSync(new URL(folder, root), { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : filesUnder(`${folder}${entry.name}/`)
    return entry.name.endsWith(".ts") ? [folder + entry.name] : []
  })

const tree = ["src/", "test/", "scripts/", "bench/"]
  .filter((folder) => existsSync(new URL(folder, root)))
  .flatMap(filesUnder)
  .map((path) => new Source(path, readFileSync(new URL(path, root), "utf8")))

const violations = ({ check, of }: Rule, sources: ReadonlyArray<Source>): ReadonlyArray<string> =>
  sources
    .filter(({ path }) => of.some((start) => path.startsWith(start)))
    .flatMap((source) => check(source).map(({ line, message }) => `${source.path}:${line} ${message}`))

describe("the sources", () => {
  it.each(rules)("$name", (rule) => {
    const found = violations(rule, tree)
    assert.strictEqual(found.length, 0, `\n${found.join("\n")}\n`)
  })

  it("are all there", () => {
    assert.isAbove(tree.filter(({ path }) => path.startsWith("src/")).length, 10)
    const long = tree.filter(({ lines, path }) => path.startsWith("test/") && lines.length >= testLinesHint)
    for (const { lines, path } of long) console.log(`hint: split ${path}, it has ${lines.length} lines`)
  })
})

describe("the worker", () => {
  it("reaches nothing of Effect", () => {
    assert.isTrue(tree.some(({ path }) => path === workerEntry))
    assert.deepStrictEqual(effectReached(workerEntry, tree), [])
  })

  it("would be caught if it did", () => {
    const entry = new Source(workerEntry, 'import { a } from "../internal/structure/a.ts"\n')
    const middle = new Source("src/internal/structure/a.ts", 'import { b } from "./b.ts"\n')
    const last = new Source("src/internal/structure/b.ts", '\nimport type { c } from "effect/Effect"\n')
    const found = effectReached(workerEntry, [entry, middle, last])
    assert.deepStrictEqual(found, ["src/internal/structure/b.ts:2 effect/Effect"])
  })
})

const cases = (kind: "bad" | "good") =>
  rules.flatMap((rule) =>
    samples[rule.name]![kind].map(([path, text]) => {
      const shown = `${path} ${JSON.stringify(text.replace(/(?:a\(\)\s+)+/, "a() … "))}`
      return { rule, name: rule.name, shown, source: new Source(path, text) }
    })
  )

describe("each rule", () => {
  it("has samples that break it", () => {
    assert.deepStrictEqual(
      Object.keys(samples),
      rules.map(({ name }) => name)
    )
  })

  it.each(cases("bad"))("$name: finds $shown", ({ rule, source }) => {
    assert.strictEqual(violations(rule, [source]).length, 1)
  })

  it.each(cases("good"))("$name: passes $shown", ({ rule, source }) => {
    assert.deepStrictEqual(violations(rule, [source]), [])
  })
})

const shownTokens = (text: string) => lex(text).tokens.map((token) => `${token.kind[0]}:${token.text}`)

describe("the lexer", () => {
  it.each([
    { text: "a / b / c", tokens: ["w:a", "p:/", "w:b", "p:/", "w:c"] },
    { text: "a = /[/\"]'\\// + b", tokens: ["w:a", "p:=", "r:/[/\"]'\\//", "p:+", "w:b"] },
    { text: "a[1]! / 2 /* c */ / 3", tokens: ["w:a", "p:[", "n:1", "p:]", "p:!", "p:/", "n:2", "p:/", "n:3"] },
    { text: "return /a/g", tokens: ["w:return", "r:/a/g"] },
    { text: '"a\\"//b" // c', tokens: ['s:a\\"//b'] },
    {
      text: "`a ${b ? `c${d}` : { e }} f` + g",
      tokens: "t: p:{ w:b p:? t: p:{ w:d p:} p:: p:{ w:e p:} p:} p:+ w:g".split(" ")
    },
    { text: "1_000.5e-3 0xff ...a => b", tokens: ["n:1_000.5e-3", "n:0xff", "p:...", "w:a", "p:=>", "w:b"] }
  ])("reads $text", ({ text, tokens }) => assert.deepStrictEqual(shownTokens(text), tokens))

  it.each(["/* a", "`a", '"a\n"', "`${a"])("refuses %j", (text) => {
    assert.throws(() => new Source("src/a.ts", text))
  })
})
