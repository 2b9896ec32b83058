import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { ndjson, on, shell, strata, temporaryDirectory } from "./support.ts"

const filled = (rows: ReadonlyArray<readonly [key: string, value: string]>): string => {
  const directory = temporaryDirectory()
  const file = path.join(temporaryDirectory(), "rows.csv")
  fs.writeFileSync(file, ["key,value", ...rows.map((row) => row.join(","))].join("\n"))
  assert.strictEqual(on(directory)(["import", file, "--key", "key"]).code, 0)
  return directory
}

describe("set, get and remove", () => {
  it("give back just the bytes that were stored", () => {
    const db = on(temporaryDirectory())
    const every = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 7) % 256)
    assert.deepStrictEqual(db(["set", "blob"], { input: every }), { code: 0, out: Buffer.of(), text: "", error: "" })
    assert.isTrue(db(["get", "blob"]).out.equals(every))
    db(["set", "empty", ""])
    assert.deepStrictEqual(db(["get", "empty"]), { code: 0, out: Buffer.of(), text: "", error: "" })
    db(["set", "line", "-"], { input: "no line feed is added" })
    assert.strictEqual(db(["get", "line"]).text, "no line feed is added")
  })

  it("say that a key is not found, on standard error, with exit code 1", () => {
    const db = on(temporaryDirectory())
    db(["set", "a", "1"])
    assert.deepStrictEqual(db(["get", "b"]), {
      code: 1,
      out: Buffer.of(),
      text: "",
      error: "Key not found: b\n"
    })
    assert.strictEqual(db(["remove", "a", "absent"]).code, 0)
    assert.strictEqual(db(["get", "a"]).error, "Key not found: a\n")
  })

  it("remove a prefix, or what lies between two keys, and say so", () => {
    const db = on(filled(["a/1", "a/2", "b/1", "b/2", "c"].map((key) => [key, "v"] as const)))
    const keys = () => db(["scan", "--keys-only"]).text.trimEnd().split("\n")
    assert.strictEqual(db(["remove", "--prefix", "a/"]).text, "removed every key that begins with a/\n")
    assert.deepStrictEqual(keys(), ["b/1", "b/2", "c"])
    assert.strictEqual(db(["remove", "--from", "b/2", "--to", "c"]).text, "removed every key from b/2 on before c\n")
    assert.deepStrictEqual(keys(), ["b/1", "c"])
    assert.strictEqual(db(["remove", "--to", "63", "--hex"]).text, "removed every key before 63\n")
    assert.deepStrictEqual(keys(), ["c"])
    assert.strictEqual(db(["flush"]).code, 0)
    assert.strictEqual(db(["verify"]).code, 0)
    assert.strictEqual(db(["remove", "--from", "c"]).text, "removed every key from c on\n")
    assert.strictEqual(db(["count"]).text, "0\n")
  })

  it("remove in one way at a time, and never everything for want of a word", () => {
    const db = on(filled([["a", "1"]]))
    for (const parameters of [[], ["a", "--prefix", "a"], ["--prefix", "a", "--from", "a"], ["a", "--to", "b"]]) {
      const { code, error } = db(["remove", ...parameters])
      assert.strictEqual(code, 1)
      assert.include(error, "One of three: KEY..., --prefix, or --from and --to")
      assert.notMatch(error, /\n\s+at /, "a stack trace")
    }
    const inverted = db(["remove", "--from", "b", "--to", "a"])
    assert.strictEqual(inverted.code, 1)
    assert.match(inverted.error, /^strata: [^\n]+\n$/)
    assert.strictEqual(db(["count"]).text, "1\n")
  })

  it("take keys and values that look like flags behind --", () => {
    const directory = temporaryDirectory()
    assert.strictEqual(strata(["set", "--db", directory, "--", "--key", "-5"]).code, 0)
    assert.strictEqual(strata(["get", "--db", directory, "--", "--key"]).text, "-5")
  })

  it("take and print hexadecimal", () => {
    const db = on(temporaryDirectory())
    assert.strictEqual(db(["set", "00FF", "c0de", "--hex"]).code, 0)
    assert.strictEqual(db(["get", "00ff", "--hex"]).text, "c0de\n")
    assert.strictEqual(db(["set", "00", "--hex"], { input: "0a0b\n" }).code, 0)
    assert.deepStrictEqual(ndjson(db(["get", "00", "--hex", "--json"]).text), [
      { key: "00", keyEncoding: "hex", value: "0a0b", valueEncoding: "hex", sequence: 2, expiresAt: null, userMeta: 0 }
    ])
    const refused = db(["get", "0x00", "--hex"])
    assert.deepStrictEqual([refused.code, refused.error], [1, 'strata: "0x00" is not hexadecimal\n'])
  })

  it("keep a time to live and a number of the user's", () => {
    const db = on(temporaryDirectory())
    const before = Date.now()
    db(["set", "k", "v", "--ttl", "1h", "--user-meta", "255", "--durability", "os"])
    const [entry] = ndjson(db(["get", "k", "--json"]).text) as [{ readonly expiresAt: number }]
    assert.deepStrictEqual({ ...entry, expiresAt: undefined }, {
      key: "k",
      keyEncoding: "utf8",
      value: "v",
      valueEncoding: "utf8",
      sequence: 1,
      expiresAt: undefined,
      userMeta: 255
    } as {})
    assert.isAtLeast(entry.expiresAt, before + 3_600_000)
    assert.isAtMost(entry.expiresAt, Date.now() + 3_600_000)
    db(["set", "gone", "v", "--ttl", "1ms"])
    assert.strictEqual(db(["get", "gone"]).code, 1)
  })
})

describe("scan and count", () => {
  const directory = filled(["a/1", "a/2", "a/3", "b/1", "b/2"].map((key) => [key, `value of ${key}`] as const))
  const db = on(directory)
  const keys = (...flags: ReadonlyArray<string>): ReadonlyArray<string> =>
    db(["scan", "--keys-only", ...flags])
      .text.split("\n")
      .slice(0, -1)

  it("take the parts of the key space that flags name", () => {
    assert.deepStrictEqual(keys(), ["a/1", "a/2", "a/3", "b/1", "b/2"])
    assert.deepStrictEqual(keys("--prefix", "b/", "--reverse"), ["b/2", "b/1"])
    assert.deepStrictEqual(keys("--from", "a/2", "--to", "b/2"), ["a/2", "a/3", "b/1"])
    assert.deepStrictEqual(keys("--suffix", "/2", "--limit", "1"), ["a/2"])
    assert.strictEqual(db(["count"]).text, "5\n")
    assert.strictEqual(db(["count", "--prefix", "a/", "--from", "a/2", "--json"]).text, "2\n")
  })

  it("print key, tab and value, or JSON, a line each", () => {
    assert.strictEqual(
      db(["scan", "--prefix", "b/"]).text,
      'b/1\t{"key":"b/1","value":"value of b/1"}\nb/2\t{"key":"b/2","value":"value of b/2"}\n'
    )
    assert.strictEqual(
      db(["scan", "--keys-only", "--json", "--limit", "1"]).text,
      '{"key":"a/1","keyEncoding":"utf8"}\n'
    )
    const entries = ndjson(db(["scan", "--json"]).text) as ReadonlyArray<{ readonly key: string }>
    assert.deepStrictEqual(
      entries.map(({ key }) => key),
      ["a/1", "a/2", "a/3", "b/1", "b/2"]
    )
  })

  it("escape what would break a line", () => {
    const db = on(temporaryDirectory())
    db(["set", "a\tb"], { input: Uint8Array.of(0x0a, 0xff) })
    assert.strictEqual(db(["scan"]).text, "a\\tb\t\\n\\xff\n")
  })

  it("end quietly when the reader has enough", () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => [`key-${index}`, "x".repeat(50)] as const)
    const ended = shell('$strata scan | head -1; echo "${PIPESTATUS[0]}"', { env: { STRATA_DB: filled(rows) } })
    assert.deepStrictEqual(ended.text.split("\n").slice(1), ["0", ""])
    assert.match(ended.text, /^key-0\t/)
    assert.strictEqual(ended.error, "")
  })
})
