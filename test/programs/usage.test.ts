import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { on, strata, temporaryDirectory } from "./support.ts"

describe("the database's directory", () => {
  it("comes from STRATA_DB if no flag names it, and is asked for if nothing does", () => {
    const env = { STRATA_DB: temporaryDirectory() }
    assert.strictEqual(strata(["set", "a", "1"], { env }).code, 0)
    assert.strictEqual(strata(["get", "a"], { env }).text, "1")
    const missing = strata(["get", "a"])
    assert.strictEqual(missing.code, 1)
    assert.include(missing.error, "Missing required flag: --db")
  })

  it("is created by set and import alone", () => {
    const root = temporaryDirectory()
    const absent = path.join(root, "absent")
    for (const parameters of [
      ["get", "a"],
      ["remove", "a"],
      ["verify"],
      ["flush"],
      ["compact"],
      ["gc"],
      ["checkpoint", "x"]
    ]) {
      const { code, error } = on(absent)(parameters)
      assert.strictEqual(code, 1, parameters[0])
      assert.match(error, /^strata: .*absent.*\n$/, parameters[0])
    }
    assert.deepStrictEqual(fs.readdirSync(root), [])
    assert.strictEqual(on(path.join(root, "deep/er"))(["set", "a", "1"]).code, 0)
  })

  it("must be one, and hold a database or be free for one", () => {
    const directory = temporaryDirectory()
    const file = path.join(directory, "file")
    fs.writeFileSync(file, "text")
    for (const place of [file, directory]) {
      const { code, error } = on(place)(["set", "a", "1"])
      assert.strictEqual(code, 1)
      assert.match(error, /^strata: .*file.*\n$/)
    }
    assert.strictEqual(fs.readFileSync(file, "utf8"), "text")
  })
})

describe("what cannot be done", () => {
  it.each([
    { what: "an unknown option", parameters: ["get", "a", "--colour"], says: "--colour" },
    { what: "an unknown command", parameters: ["put", "a", "1"], says: "put" },
    { what: "a command without its key", parameters: ["get"], says: "key" },
    { what: "a limit below 0", parameters: ["scan", "--limit=-1"], says: "0 or more" },
    { what: "a number over 255", parameters: ["set", "a", "1", "--user-meta", "256"], says: "0 to 255" },
    { what: "a time to live that is none", parameters: ["set", "a", "1", "--ttl", "soon"], says: "a duration" }
  ])("$what is refused", ({ parameters, says }) => {
    const { code, error } = strata(parameters, { env: { STRATA_DB: "/nonexistent/db" } })
    assert.strictEqual(code, 1)
    assert.include(error, says)
    assert.notMatch(error, /\n\s+at /, "a stack trace")
  })

  it("is told in one line", () => {
    const db = on(temporaryDirectory())
    db(["set", "a", "1"])
    const lines: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
      [["set", "", "x"], /empty/i],
      [["scan", "--from", "b", "--to", "a"], /from|range/i],
      [["set", "k".repeat(65_536), "x"], /65,?535/]
    ]
    for (const [parameters, message] of lines) {
      const { code, error, text } = db(parameters)
      assert.strictEqual(code, 1)
      assert.match(error, /^strata: [^\n]+\n$/)
      assert.match(error, message)
      assert.strictEqual(text, "")
    }
    const { code, error } = db(["set", "big"], { input: new Uint8Array(256 * 1024 * 1024 + 1) })
    assert.deepStrictEqual([code, error], [1, "strata: standard input is over the value limit of 268435456 bytes\n"])
    assert.strictEqual(db(["count"]).text, "1\n")
  })
})

it("prints its version and its help", () => {
  const { version } = JSON.parse(fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    readonly version: string
  }
  assert.include(strata(["--version"]).text, version)
  const help = strata(["--help"])
  assert.strictEqual(help.code, 0)
  for (const name of [
    "get",
    "bench",
    "set",
    "remove",
    "scan",
    "count",
    "import",
    "flush",
    "compact",
    "gc",
    "checkpoint",
    "rotate",
    "stats",
    "verify"
  ]) {
    assert.include(help.text, name)
  }
})
