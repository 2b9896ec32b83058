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
      const [stats] = ndjson(on(directory)(["stats", "--json"]).text) as [Record<string, unknown>]
      assert.strictEqual(stats["entries"], 200)
      assert.strictEqual(stats["state"], "healthy")
      assert.isObject(stats["counters"])
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
