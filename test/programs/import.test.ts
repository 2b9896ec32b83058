import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { ndjson, on, temporaryDirectory } from "./support.ts"

const write = (directory: string, files: Readonly<Record<string, string | Uint8Array>>): string => {
  for (const [name, content] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true })
    fs.writeFileSync(path.join(directory, name), content)
  }
  return directory
}

const valuesOf = (directory: string): Readonly<Record<string, string>> => {
  const entries = ndjson(on(directory)(["scan", "--json"]).text) as ReadonlyArray<{
    readonly key: string
    readonly value: string
  }>
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]))
}

describe("import of a directory", () => {
  it("stores every regular file by its path, passes over links and lists what is over the limit", () => {
    const source = write(temporaryDirectory(), {
      "b.txt": "b",
      "a/empty": "",
      "a/deep/bytes": Uint8Array.of(0, 255, 10),
      most: new Uint8Array(8 * 1024 * 1024)
    })
    // Sparse, and more than could be read to find out.
    fs.writeFileSync(path.join(source, "big"), "")
    fs.truncateSync(path.join(source, "big"), 3 * 1024 ** 3)
    fs.symlinkSync("b.txt", path.join(source, "link"))
    fs.symlinkSync(".", path.join(source, "loop"))
    const db = on(temporaryDirectory())
    const { code, error, text } = db(["import", source, "--prefix", "files/"])
    assert.strictEqual(code, 0)
    assert.strictEqual(error, "skipped big: 3221225472 bytes are over the value limit of 268435456\n")
    assert.match(text, /^4 entries, 8\.0 MiB in .*; 2 symbolic links passed over; 1 skipped\n$/)
    assert.strictEqual(db(["scan", "--keys-only"]).text, "files/a/deep/bytes\nfiles/a/empty\nfiles/b.txt\nfiles/most\n")
    assert.isTrue(db(["get", "files/a/deep/bytes"]).out.equals(Uint8Array.of(0, 255, 10)))
    assert.strictEqual(db(["get", "files/most"]).out.length, 8 * 1024 * 1024)
  })

  it("leaves out the database that it writes to", () => {
    const source = write(temporaryDirectory(), { a: "1" })
    const directory = path.join(source, "db")
    for (let time = 0; time < 2; time += 1) assert.strictEqual(on(directory)(["import", source]).code, 0)
    assert.deepStrictEqual(valuesOf(directory), { a: "1" })
    const { code, error } = on(directory)(["import", directory])
    assert.strictEqual(code, 1)
    assert.match(error, /^strata: .* is the database itself\n$/)
  })

  it("makes commits of at most 1,000 files and tells what it did as JSON", () => {
    const files = Array.from({ length: 2001 }, (_, index) => [`${index}`, "x"] as const)
    const source = write(temporaryDirectory(), Object.fromEntries(files))
    const db = on(temporaryDirectory())
    const [report] = ndjson(db(["import", source, "--json"]).text) as [Record<string, unknown>]
    assert.isNumber(report["millis"])
    assert.deepStrictEqual(
      { ...report, millis: 0 },
      {
        entries: 2001,
        bytes: files.reduce((sum, [name]) => sum + name.length + 1, 0),
        commits: 3,
        skipped: 0,
        unreadable: 0,
        links: 0,
        millis: 0
      }
    )
    assert.strictEqual(db(["count"]).text, "2001\n")
  })
})

describe("import of rows", () => {
  const source = write(temporaryDirectory(), {
    "people.csv": '\ufeffemail,name\na@x,"Ada, ""L"""\nb@x,Bob\n\n',
    "people.tsv": "email\tname\nc@x\tCy, D\n",
    "people.ndjson": '{"email":"d@x","n":[1, 2]}\r\n\n{"email":5}\n{"name":"nobody"}\n{"email":{}}\n{"email":""}',
    "wide.csv": "email,name\na@x,Ada\nb@x,Bob,what\n",
    "bad.ndjson": '{"email":"a@x"}\n{"email"\n',
    "list.ndjson": '["email"]\n',
    "header.csv": "email,name\n",
    "people.txt": "email"
  })
  const at = (name: string): string => path.join(source, name)

  it("stores a row of .csv and .tsv as JSON under its key", () => {
    const directory = temporaryDirectory()
    assert.strictEqual(on(directory)(["import", at("people.csv"), "--key", "email"]).code, 0)
    assert.strictEqual(on(directory)(["import", at("people.tsv"), "--key", "name", "--prefix", "t/"]).code, 0)
    assert.strictEqual(on(directory)(["import", at("header.csv"), "--key", "email"]).code, 0)
    assert.deepStrictEqual(valuesOf(directory), {
      "a@x": '{"email":"a@x","name":"Ada, \\"L\\""}',
      "b@x": '{"email":"b@x","name":"Bob"}',
      "t/Cy, D": '{"email":"c@x","name":"Cy, D"}'
    })
  })

  it("stores a line of .ndjson as it is, and skips those without a key", () => {
    const directory = temporaryDirectory()
    const { code, error } = on(directory)(["import", at("people.ndjson"), "--key", "email"])
    assert.strictEqual(code, 0)
    assert.deepStrictEqual(error.replaceAll(at("people.ndjson"), "FILE").split("\n"), [
      'skipped FILE:4: it has no "email"',
      'skipped FILE:5: its "email" is neither a text nor a number',
      "skipped FILE:6: its key is empty",
      ""
    ])
    assert.deepStrictEqual(valuesOf(directory), { "d@x": '{"email":"d@x","n":[1, 2]}', 5: '{"email":5}' })
  })

  it.each([
    { name: "people.csv", flags: ["--key", "age"], says: /people\.csv: no column "age"; the columns are email, name/ },
    { name: "people.csv", flags: [], says: /people\.csv needs --key COLUMN/ },
    { name: "wide.csv", flags: ["--key", "email"], says: /wide\.csv:3: Expected 2 cells, got 3/ },
    { name: "bad.ndjson", flags: ["--key", "email"], says: /bad\.ndjson:2: .*JSON/ },
    { name: "list.ndjson", flags: ["--key", "email"], says: /list\.ndjson:1: not a JSON object/ },
    { name: "people.txt", flags: ["--key", "email"], says: /neither a directory nor a \.ndjson, \.csv or \.tsv file/ },
    { name: "absent.csv", flags: ["--key", "email"], says: /absent\.csv: no such file/ },
    { name: ".", flags: ["--key", "email"], says: /--key is for files of rows/ }
  ])("refuses $name with $flags", ({ flags, name, says }) => {
    const { code, error } = on(temporaryDirectory())(["import", at(name), ...flags])
    assert.strictEqual(code, 1)
    assert.match(error, /^strata: [^\n]+\n$/)
    assert.match(error, says)
  })
})
