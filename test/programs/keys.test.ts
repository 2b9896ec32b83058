import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { type Ended, ndjson, on, temporaryDirectory } from "./support.ts"

const hexKey = (byte: string): string => byte.repeat(32)

interface Kit {
  readonly db: ReturnType<typeof on>
  readonly directory: string
  /** A file with a key, or with what is told. */
  readonly file: (name: string, content: string | Uint8Array) => string
}

const kit = (): Kit => {
  const root = temporaryDirectory()
  const directory = path.join(root, "data")
  const file: Kit["file"] = (name, content) => {
    const at = path.join(root, name)
    fs.writeFileSync(at, content)
    return at
  }
  return { db: on(directory), directory, file }
}

const isRefused = (ended: Ended, code: number, says: RegExp): void => {
  assert.deepStrictEqual([ended.code, ended.text], [code, ""])
  assert.match(ended.error, /^strata: [^\n]+\n$/)
  assert.match(ended.error, says)
}

describe("the key of an encrypted database", () => {
  it("comes from a file or the environment, in every command", () => {
    const { db, directory, file } = kit()
    const raw = file("raw", Buffer.from(hexKey("a1"), "hex"))
    const hex = file("hex", `${hexKey("A1")}\n`)
    const rows = file("rows.csv", "name,age\nann,3\n")
    assert.strictEqual(db(["set", "a", "1", "--key-file", raw]).code, 0)
    assert.strictEqual(db(["get", "a", "--key-file", hex]).text, "1")
    const env = { STRATA_KEY: hexKey("a1") }
    for (const command of [["import", rows, "--key", "name"], ["flush"], ["compact"], ["gc"], ["count"], ["verify"]]) {
      const { code, error } = db(command, { env })
      assert.deepStrictEqual([code, error], [0, ""], command.join(" "))
    }
    const copy = path.join(directory, "../copy")
    assert.strictEqual(db(["checkpoint", copy], { env }).code, 0)
    assert.match(on(copy)(["scan"], { env }).text, /^a\t1\nann\t/)
    for (const name of fs.readdirSync(directory)) {
      const content = fs.readFileSync(path.join(directory, name)).toString("latin1")
      assert.notInclude(content, "ann", name)
      assert.notInclude(content, Buffer.from(hexKey("a1"), "hex").toString("latin1"), name)
    }
  })

  it("is a passphrase, too", () => {
    const { db, file } = kit()
    const passphrase = file("passphrase", "correct horse\n")
    assert.strictEqual(db(["set", "a", "1", "--passphrase-file", passphrase]).code, 0)
    assert.strictEqual(db(["get", "a", "--passphrase-file", file("again", "correct horse")]).text, "1")
    isRefused(db(["get", "a", "--passphrase-file", file("other", "correct house")]), 4, /another key/)
  })

  it("is told from none, from another one and from one too many, by text and exit code", () => {
    const { db, directory, file } = kit()
    const [key, other] = [file("key", hexKey("a1")), file("other", hexKey("b2"))]
    db(["set", "a", "1", "--key-file", key])
    const before = fs.readdirSync(directory).map((name) => fs.readFileSync(path.join(directory, name)).toString("hex"))
    for (const command of [["get", "a"], ["set", "a", "2"], ["stats"], ["verify"], ["rotate", "--data"]]) {
      isRefused(db(command), 3, /is encrypted; .*--key-file.*STRATA_KEY/)
      isRefused(db([...command, "--key-file", other]), 4, /another key/)
    }
    assert.deepStrictEqual(
      fs.readdirSync(directory).map((name) => fs.readFileSync(path.join(directory, name)).toString("hex")),
      before
    )
    const plain = kit()
    plain.db(["set", "a", "1"])
    isRefused(plain.db(["get", "a", "--key-file", key]), 5, /is not encrypted/)
    isRefused(plain.db(["rotate", "--data"]), 5, /is not encrypted/)
  })

  it("does not open what was tampered with, which has a code of its own", () => {
    const { db, directory, file } = kit()
    const key = file("key", hexKey("a1"))
    db(["set", "a", "1", "--key-file", key])
    db(["flush", "--key-file", key])
    const manifest = fs.readdirSync(directory).find((name) => name.endsWith(".man"))!
    const bytes = fs.readFileSync(path.join(directory, manifest))
    bytes[130]! ^= 1
    fs.writeFileSync(path.join(directory, manifest), bytes)
    isRefused(db(["get", "a", "--key-file", key]), 6, new RegExp(manifest))
    const verify = db(["verify", "--key-file", key])
    assert.deepStrictEqual([verify.code, verify.error], [1, ""])
    assert.include(verify.text, manifest)
  })

  it("is given in one way, and in full, or it is no key; and it is never shown", () => {
    const { db, file } = kit()
    const key = file("key", hexKey("a1"))
    const env = { STRATA_KEY: hexKey("a1") }
    isRefused(db(["set", "a", "1", "--key-file", key], { env }), 1, /--key-file and STRATA_KEY; give it in one way/)
    isRefused(db(["set", "a", "1", "--key-file", key, "--passphrase-file", key]), 1, /in one way/)
    const bad = "c3".repeat(31)
    isRefused(db(["set", "a", "1"], { env: { STRATA_KEY: bad } }), 1, /STRATA_KEY is not 64 hexadecimal digits/)
    isRefused(db(["set", "a", "1", "--key-file", file("short", bad)]), 1, /neither 32 bytes nor 64 hexadecimal/)
    isRefused(db(["set", "a", "1", "--key-file", file("long", "x".repeat(5000))]), 1, /which is no key/)
    isRefused(db(["set", "a", "1", "--passphrase-file", file("empty", "\n")]), 1, /is empty/)
    isRefused(db(["set", "a", "1", "--key-file", "nowhere"]), 1, /nowhere: no such file/)
    for (const given of [{ env }, { env: { STRATA_KEY: bad } }]) {
      const { error, text } = db(["stats", "--json", "--log-level", "all"], given)
      assert.notMatch(error + text, /(?:a1){4}|(?:c3){4}/)
    }
  })
})

describe("rotate", () => {
  it("replaces the master key by a key or a passphrase", () => {
    const { db, file } = kit()
    const [first, second, third] = [file("1", hexKey("a1")), file("2", hexKey("b2")), file("3", "a passphrase")]
    db(["set", "a", "1", "--key-file", first])
    const { code, text } = db(["rotate", "--master", "--key-file", first, "--new-key-file", second])
    assert.deepStrictEqual(
      [code, text],
      [0, "the database opens with the new key from now on, and not with the old one\n"]
    )
    isRefused(db(["get", "a", "--key-file", first]), 4, /another key/)
    const json = db(["rotate", "--master", "--key-file", second, "--new-passphrase-file", third, "--json"])
    assert.deepStrictEqual(ndjson(json.text), [{ masterKind: "passphrase-scrypt" }])
    isRefused(db(["get", "a", "--key-file", second]), 4, /key/)
    assert.strictEqual(db(["get", "a", "--passphrase-file", third]).text, "1")
  })

  it("makes a data key, and seals everything with it if asked to; stats tell of the keys", () => {
    const { db, file } = kit()
    const env = { STRATA_KEY: hexKey("a1") }
    const rows = file(
      "rows.csv",
      `name,text\n${Array.from({ length: 50 }, (_, row) => `r${row},${"x".repeat(row * 50)}\n`).join("")}`
    )
    db(["import", rows, "--key", "name"], { env })
    db(["flush"], { env })
    assert.match(
      db(["rotate", "--data"], { env }).text,
      /^data key 2 is in use; \d files?, [\d.]+ KiB of older keys are sealed anew in time\n$/
    )
    const { text } = db(["stats"], { env })
    assert.match(text, /^encryption +aes-256-gcm, opened by a key, data key 2$/m)
    const rowsOfKeys = text.split("\n").filter((line) => /^ +\d +\d{4}-\d\d-\d\dT/.test(line))
    assert.strictEqual(rowsOfKeys.length, 2)
    const [report] = ndjson(db(["rotate", "--data", "--full", "--json"], { env }).text) as [Record<string, unknown>]
    assert.deepInclude(report, { generation: 3, full: true, left: { files: 0, bytes: 0 } })
    const [stats] = ndjson(db(["stats", "--json"], { env }).text) as [{ readonly encryption: Record<string, unknown> }]
    assert.deepInclude(stats.encryption, { cipher: "aes-256-gcm", masterKind: "raw", keyGeneration: 3 })
    assert.lengthOf(stats.encryption["generations"] as ReadonlyArray<unknown>, 1)
    assert.strictEqual(db(["count"], { env }).text, "50\n")
    assert.match(db(["verify"], { env }).text, /: no damage\n$/)
  })

  it("is told what to rotate, and by what", () => {
    const { db, file } = kit()
    const env = { STRATA_KEY: hexKey("a1") }
    db(["set", "a", "1"], { env })
    isRefused(db(["rotate"], { env }), 1, /either the --master key or the --data key/)
    isRefused(db(["rotate", "--master", "--data"], { env }), 1, /either/)
    isRefused(db(["rotate", "--master", "--full"], { env }), 1, /--full belongs to --data/)
    isRefused(db(["rotate", "--master"], { env }), 1, /needs the new key/)
    isRefused(db(["rotate", "--master", "--new-key-file", file("short", "ab")], { env }), 1, /neither/)
    const [key, phrase] = [file("new", hexKey("b2")), file("phrase", "a passphrase")]
    const twice = ["rotate", "--master", "--new-key-file", key, "--new-passphrase-file", phrase]
    isRefused(db(twice, { env }), 1, /--new-key-file and --new-passphrase-file; give it in one way/)
    isRefused(db(["rotate", "--data", "--new-key-file", key], { env }), 1, /belong to --master/)
    isRefused(db(["rotate", "--data", "--full", "--new-passphrase-file", phrase], { env }), 1, /belong to --master/)
    assert.match(db(["stats"], { env }).text, /opened by a key, data key 1$/m)
    assert.strictEqual(db(["get", "a"], { env }).text, "1")
  })
})
