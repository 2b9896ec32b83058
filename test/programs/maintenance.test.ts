import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import { Database } from "../../src/services/Database.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"
import { beside, ndjson, on, temporaryDirectory } from "./support.ts"

/** A database of one table, and whatever the log needs. */
const withTable = (directory: string) =>
  Effect.gen(function* () {
    const database = yield* Database
    for (let key = 0; key < 200; key += 1) yield* database.set(`key-${key}`, "value ".repeat(20), { durability: "os" })
    const maintenance = yield* Maintenance
    yield* maintenance.flush
  }).pipe(Effect.provide(LsmDatabase.layer({ directory })))

const filesOf = (directory: string, extension: string): ReadonlyArray<string> =>
  fs.readdirSync(directory).filter((name) => name.endsWith(extension))

const flip = (file: string, offset: number): void => {
  const bytes = fs.readFileSync(file)
  bytes[offset]! ^= 0xff
  fs.writeFileSync(file, bytes)
}

/** The parts of `file:offset: message`, in which the file is named once. */
const placed = (line: string, name: string): RegExpMatchArray => {
  const match = line.match(/^(?:strata: )?(.+):(\d+): (.+)$/)
  assert.isNotNull(match, line)
  assert.strictEqual(line.split(name).length, 2, line)
  return match
}

describe("stats", () => {
  it.live("are a table for people and JSON for programs", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      yield* withTable(directory)
      const { code, text } = on(directory)(["stats"])
      assert.strictEqual(code, 0)
      assert.match(text, /^state +healthy$/m)
      assert.match(text, /^tables +1 table, /m)
      assert.match(text, /^ {2}records +200$/m)
      assert.match(text, /^amplification +space 1\.00, read 1$/m)
      const [head, level] = text.trimEnd().split("\n").slice(-2)
      assert.deepStrictEqual(head!.trim().split(/ +/), ["level", "tables", "bytes", "target", "records", "removals"])
      assert.match(level!, /^ +0 +1 +[\d.]+ KiB +200 +0$/)
      assert.strictEqual(head!.length, level!.length)
      const [stats] = ndjson(on(directory)(["stats", "--json"]).text) as [Record<string, unknown>]
      assert.strictEqual(stats["entries"], 200)
      assert.strictEqual(stats["state"], "healthy")
      for (const name of ["amplification", "stalls", "cache", "jobs", "snapshots", "counters"]) {
        assert.isObject(stats[name], name)
      }
    })
  )
})

describe("verify", () => {
  it.live("reads everything, finds nothing wrong and changes nothing", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      yield* withTable(directory)
      const before = fs
        .readdirSync(directory)
        .map((name) => fs.readFileSync(path.join(directory, name)).toString("hex"))
      const { code, text } = on(directory)(["verify"])
      assert.strictEqual(code, 0)
      assert.match(text, /^\d+ files, .*, 200 entries: no damage\n$/)
      const [report] = ndjson(on(directory)(["verify", "--json"]).text) as [Record<string, unknown>]
      assert.deepStrictEqual(report["damage"], [])
      assert.deepStrictEqual(
        fs.readdirSync(directory).map((name) => fs.readFileSync(path.join(directory, name)).toString("hex")),
        before
      )
    })
  )

  it.live("prints where the damage is, with exit code 1", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      yield* withTable(directory)
      const [table] = filesOf(directory, ".sst")
      const file = path.join(directory, table!)
      flip(file, Math.floor(fs.statSync(file).size / 2))
      const { code, error, text } = on(directory)(["verify"])
      assert.deepStrictEqual([code, error], [1, ""])
      const [line, summary] = text.split("\n")
      assert.strictEqual(placed(line!, table!)[1], file)
      assert.match(summary!, / 1 damaged place$/)
      const json = on(directory)(["verify", "--json"])
      const [{ damage }] = ndjson(json.text) as [{ readonly damage: ReadonlyArray<Record<string, unknown>> }]
      assert.strictEqual(json.code, 1)
      assert.strictEqual(damage.length, 1)
      assert.deepStrictEqual(Object.keys(damage[0]!).sort(), ["file", "message", "offset"])
    })
  )

  it.live("prints where the damage is that keeps the database from opening", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      yield* withTable(directory)
      const [manifest] = filesOf(directory, ".man")
      flip(path.join(directory, manifest!), Math.floor(fs.statSync(path.join(directory, manifest!)).size / 2))
      const { code, error, text } = on(directory)(["verify"])
      assert.deepStrictEqual([code, error], [1, ""])
      const [line, summary] = text.split("\n")
      assert.strictEqual(placed(line!, manifest!)[1], path.join(directory, manifest!))
      assert.match(summary!, / 1 damaged place$/)
      const get = on(directory)(["get", "key-1"])
      assert.strictEqual(get.code, 1)
      assert.match(get.error, /^strata: [^\n]+\n$/)
      placed(get.error.trimEnd(), manifest!)
    })
  )
})

describe("flush", () => {
  it("leaves nothing to be replayed, and says what there is", () => {
    const db = on(temporaryDirectory())
    db(["set", "a", "1"])
    db(["set", "b", "2"])
    assert.match(db(["flush"]).text, /^\d+ B flushed: 1 table, \d+ B\n$/)
    assert.match(db(["stats"]).text, /^recovered +0 commits/m)
    assert.strictEqual(db(["get", "b"]).text, "2")
    const [again] = ndjson(db(["flush", "--json"]).text) as [Record<string, unknown>]
    assert.deepInclude(again, { bytes: 0, tables: 1 })
  })
})

describe("compact", () => {
  it("takes a range or all, and says what there was and is", () => {
    const db = on(temporaryDirectory())
    for (const value of ["1", "2"]) {
      db(["set", "a", value])
      db(["flush"])
    }
    assert.match(db(["compact", "--prefix", "b"]).text, /^2 tables, \d+ B → \d+ tables?, \d+ B in \d+\.\d s\n$/)
    const [report] = ndjson(db(["compact", "--from", "61", "--to", "62", "--hex", "--json"]).text) as [object]
    assert.hasAllKeys(report, ["before", "after", "millis"])
    assert.strictEqual(db(["get", "a"]).text, "2")
    const { code, error } = db(["compact", "--from", "b", "--to", "a"])
    assert.strictEqual(code, 1)
    assert.match(error, /^strata: [^\n]+\n$/)
  })
})

describe("gc", () => {
  it("takes back what large values have left, and stats say what there is", () => {
    const db = on(temporaryDirectory())
    for (const letter of ["a", "b"]) {
      for (const key of ["1", "2", "3"]) db(["set", key, letter.repeat(2000)])
      db(["flush"])
    }
    db(["compact"])
    assert.match(
      db(["stats"]).text,
      /^values +\d files?, [\d.]+ KiB, 3 of \d values live, [\d.]+ (?:KiB|B) \([\d.]+ %\) garbage$/m
    )
    assert.match(
      db(["gc", "--ratio", "0"]).text,
      /^\d value files? collected, [\d.]+ (?:KiB|B) reclaimed; 1 value file of [\d.]+ KiB left\n$/
    )
    const [report] = ndjson(db(["gc", "--json"]).text) as [Record<string, unknown>]
    assert.deepInclude(report, { files: 0, bytes: 0 })
    assert.match(db(["verify"]).text, /, 3 values in value files: no damage\n$/)
    assert.strictEqual(db(["get", "2"]).text, "b".repeat(2000))
    const { code, error } = db(["gc", "--ratio", "2"])
    assert.strictEqual(code, 1)
    assert.match(error, /^strata: [^\n]+from 0 to 1[^\n]+\n$/)
  })
})

describe("checkpoint", () => {
  it("makes a database of links beside the one it is of", () => {
    const root = temporaryDirectory()
    const [source, target] = [path.join(root, "data"), path.join(root, "copies/today")]
    const db = on(source)
    db(["set", "a", "1"])
    assert.match(db(["checkpoint", target]).text, /^.*\/copies\/today: 1 table, \d+ B, at sequence 1\n$/)
    const [table] = filesOf(target, ".sst")
    assert.strictEqual(fs.statSync(path.join(target, table!)).nlink, 2)
    assert.deepStrictEqual(
      fs.readdirSync(target).filter((name) => name.startsWith("lock-")),
      []
    )
    db(["set", "a", "2"])
    fs.rmSync(path.join(source, table!))
    const copy = on(target)
    assert.strictEqual(copy(["verify"]).code, 0)
    assert.strictEqual(copy(["set", "b", "3"]).code, 0)
    assert.deepStrictEqual(copy(["scan"]).text, "a\t1\nb\t3\n")
    const [made] = ndjson(copy(["checkpoint", path.join(root, "again"), "--json"]).text) as [Record<string, unknown>]
    assert.deepInclude(made, { directory: path.join(root, "again"), sequence: 2, tables: 2 })
  })

  it("goes nowhere where something is", () => {
    const root = temporaryDirectory()
    const db = on(path.join(root, "data"))
    db(["set", "a", "1"])
    fs.writeFileSync(path.join(root, "file"), "text")
    for (const target of [root, path.join(root, "data"), path.join(root, "file")]) {
      const { code, error, text } = db(["checkpoint", target])
      assert.deepStrictEqual([code, text], [1, ""])
      assert.match(error, /^strata: [^\n]+\n$/)
      assert.include(error, target)
    }
    assert.deepStrictEqual(fs.readdirSync(root).sort(), ["data", "file"])
    assert.strictEqual(db(["get", "a"]).text, "1")
  })
})

describe("a database that is open elsewhere", () => {
  it.live("is in use, by a process that is named, for readers and writers", () => {
    const directory = temporaryDirectory()
    return Effect.gen(function* () {
      const database = yield* Database
      yield* database.set("a", "1")
      for (const parameters of [["get", "a"], ["set", "a", "2"], ["verify"]]) {
        const { code, error, text } = yield* beside([...parameters, "--db", directory])
        assert.deepStrictEqual([code, text], [1, ""])
        assert.match(
          error,
          new RegExp(`^strata: .* is in use by process ${process.pid}, which started at \\d{4}-\\d\\d-\\d\\dT.*Z\n$`)
        )
      }
      assert.strictEqual((yield* Stream.runCollect(database.keys())).length, 1)
    }).pipe(Effect.provide(LsmDatabase.layer({ directory })))
  })
})
