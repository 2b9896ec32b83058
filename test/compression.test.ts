// A database whose codecs change, are missing, or are not codecs.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Stream } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as AeadEncryption from "../src/layers/AeadEncryption.ts"
import * as CustomCompression from "../src/layers/CustomCompression.ts"
import * as InstalledCompression from "../src/layers/InstalledCompression.ts"
import * as LsmDatabase from "../src/layers/LsmDatabase.ts"
import * as Lz4Compression from "../src/layers/Lz4Compression.ts"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as NoCompression from "../src/layers/NoCompression.ts"
import * as NoEncryption from "../src/layers/NoEncryption.ts"
import { codecModules } from "../src/layers/NodeCodecs.ts"
import * as SnappyCompression from "../src/layers/SnappyCompression.ts"
import * as ZstdCompression from "../src/layers/ZstdCompression.ts"
import type { Database } from "../src/services/Database.ts"
import type { DatabaseError, Reason } from "../src/services/DatabaseError.ts"
import type { Encryption } from "../src/services/Encryption.ts"
import type { Maintenance } from "../src/services/Maintenance.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { chain, compressions, runs, runsModule } from "./support/codecs.ts"
import { runPlan } from "./support/databasePlan.ts"
import { built, quiet } from "./support/opened.ts"
import { reasonOf } from "./support/scenario.ts"

type Compression = Layer.Layer<never, DatabaseError>

const options: OptionsInput = {
  arenaBytes: 64 * 1024,
  valueThreshold: 2000,
  directValueBytesMin: 32 * 1024,
  tableBytesMax: 64 * 1024,
  workers: 1
}

const openAt = (directory: string, compression: Compression | undefined, more: OptionsInput = {}) =>
  quiet(built(LsmDatabase.layer({ ...options, ...more, directory, compression })))

const inDirectory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "strata-compression-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const contentOf = (directory: string): ReadonlyArray<string> =>
  fs.readdirSync(directory).map((name) => `${name} ${fs.readFileSync(path.join(directory, name)).toString("base64")}`)

const bytesOf = (directory: string): number =>
  fs.readdirSync(directory).reduce((sum, name) => sum + fs.statSync(path.join(directory, name)).size, 0)

const count = 600
const keyOf = (index: number): string => `key${String(index).padStart(6, "0")}`
/** Small, long enough for a value file, and now and then direct. */
const valueOf = (index: number, round: number): string => {
  const length = index % 50 === 0 ? 60_000 : index % 10 === 0 ? 5000 : 150
  return `${index} of ${round}`.padEnd(length, `${round}`)
}

/** A third of the keys anew, and some that were never there. */
const writeRound = (database: Database["Service"], round: number, expected: Map<string, string>) =>
  Effect.gen(function* () {
    for (let index = round % 3; index < count; index += 3) {
      const value = valueOf(index, round)
      expected.set(keyOf(index), value)
      yield* database.set(keyOf(index), value, { durability: "os" })
    }
    const own = keyOf(1_000_000 + round)
    expected.set(own, own)
    yield* database.set(own, own)
  })

const check = (
  opened: { readonly database: Database["Service"]; readonly maintenance: Maintenance["Service"] },
  expected: Map<string, string>
) =>
  Effect.gen(function* () {
    const { database, maintenance } = opened
    const all = yield* Stream.runCollect(database.scan())
    const found = Array.from(all, ({ key, value }) => [Buffer.from(key).toString(), Buffer.from(value).toString()])
    assert.deepStrictEqual(found, [...expected].sort())
    for (const [key, value] of [...expected].slice(0, 50)) {
      assert.strictEqual(Buffer.from((yield* database.get(key))!).toString(), value)
    }
    assert.deepStrictEqual((yield* maintenance.verify).damage, [])
  })

const everywhere = (name: string) => ({ upper: name, bottom: name, values: name })

describe("a database that changes its codecs", () => {
  it.live("reads all of it, at every step and from every layer that knows them", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const directory = yield* inDirectory
        const lz4 = Lz4Compression.layerWith(everywhere("lz4"))
        const custom = CustomCompression.layerWith(runsModule, everywhere("runs")).pipe(Layer.provide(lz4))
        const steps: ReadonlyArray<Compression> = [
          NoCompression.layer,
          compressions.zstd,
          lz4,
          custom,
          NoCompression.layer.pipe(Layer.provide(custom)),
          ZstdCompression.layer.pipe(Layer.provide(custom))
        ]
        const expected = new Map<string, string>()
        for (const [round, compression] of steps.entries()) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const opened = yield* openAt(directory, compression)
              yield* check(opened, expected)
              yield* writeRound(opened.database, round, expected)
              yield* opened.maintenance.flush
              yield* check(opened, expected)
              if (round % 2 === 1) yield* opened.maintenance.compact()
              yield* opened.maintenance.collectValues({ garbageRatioMin: 0 })
              yield* check(opened, expected)
            })
          )
        }
        const reading = yield* openAt(directory, steps[5], { readOnly: true })
        yield* check(reading, expected)
      })
    )
  )

  it.live("is compressed anew where it is compacted, and takes less space", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const directory = yield* inDirectory
        const write = (compression: Compression, round: number) =>
          Effect.scoped(
            Effect.gen(function* () {
              const { database, maintenance } = yield* openAt(directory, compression)
              for (let index = 0; index < 3000; index++) {
                yield* database.set(keyOf(index), `${index} ${round} `.padEnd(150, "abc"), { durability: "os" })
              }
              yield* maintenance.compact()
              const { levels } = yield* maintenance.stats
              assert.deepStrictEqual(
                levels.flatMap(({ level, tables }) => (tables > 0 ? [level] : [])),
                [6]
              )
              return levels.reduce((sum, { bytes }) => sum + bytes, 0)
            })
          )
        const plain = yield* write(NoCompression.layer, 1)
        const short = yield* write(ZstdCompression.layer, 2)
        assert.isBelow(short, plain / 4)
        assert.isAbove(yield* write(NoCompression.layer, 3), plain * 0.9)
        assert.isBelow(yield* write(Lz4Compression.layer, 4), plain / 2)
      })
    )
  )

  it.live("is written again by a compaction that has nothing else to do, and once", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const directory = yield* inDirectory
        const compact = (
          compression: Compression,
          body: (database: Database["Service"]) => Effect.Effect<unknown, DatabaseError>
        ) =>
          Effect.scoped(
            Effect.gen(function* () {
              const { database, maintenance } = yield* openAt(directory, compression)
              yield* body(database)
              yield* maintenance.compact()
              const { compactions } = (yield* maintenance.stats).counters
              yield* maintenance.compact()
              const { counters, levels } = yield* maintenance.stats
              assert.strictEqual(counters.compactions, compactions)
              return levels.reduce((sum, { bytes }) => sum + bytes, 0)
            })
          )
        const plain = yield* compact(NoCompression.layer, (database) =>
          Effect.forEach(
            Array.from({ length: 2000 }, (_, index) => keyOf(index)),
            (key) => database.set(key, key.repeat(15), { durability: "os" })
          )
        )
        const short = yield* compact(ZstdCompression.layer, () => Effect.void)
        assert.isBelow(short, plain / 4)
        assert.isAbove(yield* compact(NoCompression.layer, () => Effect.void), plain * 0.99)
      })
    )
  )

  it.live("is compressed by zstd at the bottom level without a layer, also if it was written in order", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [one, other] = [yield* inDirectory, yield* inDirectory]
        const load = (directory: string, compression: Compression | undefined) =>
          Effect.scoped(
            Effect.gen(function* () {
              const { database, maintenance } = yield* openAt(directory, compression)
              for (let index = 0; index < 3000; index++) {
                yield* database.set(keyOf(index), `${index} `.padEnd(150, "abc"), { durability: "os" })
              }
              yield* maintenance.compact()
            })
          )
        yield* load(one, undefined)
        yield* load(other, NoCompression.layer)
        assert.isBelow(bytesOf(one), bytesOf(other) / 3)
      })
    )
  )
})

describe("a checkpoint", () => {
  it.live("needs the codecs of its original, and is read with them", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const place = yield* inDirectory
        const copy = path.join(place, "copy")
        const expected = new Map<string, string>()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { database, maintenance } = yield* openAt(path.join(place, "db"), compressions["runs of a module"])
            yield* writeRound(database, 0, expected)
            yield* maintenance.compact()
            yield* maintenance.checkpoint(copy)
          })
        )
        const reason = yield* reasonOf(Effect.scoped(Effect.asVoid(openAt(copy, undefined))))
        assert.match(reason.message, /codec 64, "runs"/)
        yield* check(yield* openAt(copy, compressions.runs), expected)
      })
    )
  )
})

describe("an open", () => {
  const refused = (...place: Parameters<typeof openAt>): Effect.Effect<Reason> =>
    reasonOf(Effect.scoped(Effect.asVoid(openAt(...place))))

  it.live("without a codec of the database fails by its name, and touches nothing", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const directory = yield* inDirectory
        const both = SnappyCompression.layer.pipe(Layer.provide(CustomCompression.layer(runs)))
        for (const compression of [compressions.runs, both]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { database, maintenance } = yield* openAt(directory, compression)
              yield* database.set("key", "v".repeat(5000))
              yield* maintenance.compact()
            })
          )
        }
        const before = contentOf(directory)
        for (const more of [{}, { readOnly: true }]) {
          const missing = yield* refused(directory, undefined, more)
          assert.strictEqual(missing._tag, "Unsupported")
          assert.match(missing.message, /codec 64, "runs"; provide it by CustomCompression/)
          const other = yield* refused(directory, CustomCompression.layer({ ...chain, id: 64 }), more)
          assert.match(other.message, /codec 64, "runs", which is not "delta\+deflate"/)
          const snappy = yield* refused(directory, CustomCompression.layer(runs), more)
          assert.match(snappy.message, /"snappy"; provide SnappyCompression/)
        }
        assert.deepStrictEqual(contentOf(directory), before)
        yield* Effect.scoped(Effect.flatMap(openAt(directory, both), ({ maintenance }) => maintenance.verify))
      })
    )
  )

  it.live("without the package of its codec fails, saying what to install, and makes nothing", () => {
    const { load, resolve } = codecModules
    return Effect.scoped(
      Effect.gen(function* () {
        const directory = path.join(yield* inDirectory, "db")
        codecModules.resolve = (name) => {
          throw new Error(`Cannot find module '${name}'`)
        }
        for (const [compression, name] of [
          [Lz4Compression.layer, "lz4-napi"],
          [SnappyCompression.layer, "snappy"],
          [InstalledCompression.layerWith({ bottom: "snappy" }), "snappy"]
        ] as const) {
          const missing = yield* refused(directory, compression)
          assert.strictEqual(missing._tag, "Unsupported")
          assert.match(missing.message, new RegExp(`npm install ${name}`))
        }
        codecModules.resolve = resolve
        codecModules.load = () => Promise.reject(new Error("no binary for this machine"))
        assert.match((yield* refused(directory, Lz4Compression.layer)).message, /lz4-napi .*no binary/)
        codecModules.load = () => Promise.resolve({ default: {} })
        assert.match((yield* refused(directory, SnappyCompression.layer)).message, /cannot use this snappy/)
        codecModules.load = load
        assert.isFalse(fs.existsSync(directory))
      })
    ).pipe(Effect.ensuring(Effect.sync(() => Object.assign(codecModules, { load, resolve }))))
  })

  it.live("with what is no codec is Invalid or Unsupported, saying why", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const directory = path.join(yield* inDirectory, "db")
        const url = (name: string) => new URL(`support/${name}`, import.meta.url)
        const cases: ReadonlyArray<readonly [Compression, string, RegExp]> = [
          [CustomCompression.layer({ ...runs, id: 3 }), "Invalid", /from 64 to 255, not 3/],
          [CustomCompression.layer({ ...runs, id: 256 }), "Invalid", /from 64 to 255, not 256/],
          [CustomCompression.layer({ ...runs, name: "" }), "Invalid", /from 1 to 255 bytes/],
          [CustomCompression.layer({ ...runs, name: "é".repeat(128) }), "Invalid", /from 1 to 255 bytes/],
          [CustomCompression.layer({ ...runs, name: "zstd" }), "Invalid", /that of another/],
          [
            CustomCompression.layer(runs).pipe(Layer.provide(CustomCompression.layer({ ...chain, id: 64 }))),
            "Invalid",
            /codec 64, "runs": the id or the name is that of another/
          ],
          [ZstdCompression.layerWith({ values: "lz4" }), "Invalid", /no codec "lz4"; there are none, zstd/],
          [CustomCompression.layer({ ...runsModule, module: "./codec.js" }), "Invalid", /is a URL/],
          [CustomCompression.layer({ ...runsModule, module: url("nowhere.ts") }), "Unsupported", /nowhere/],
          [
            CustomCompression.layer({ ...runsModule, module: url("closingLine.ts") }),
            "Unsupported",
            /exports no compress/
          ]
        ]
        for (const [compression, tag, message] of cases) {
          const reason = yield* refused(directory, compression)
          assert.strictEqual(reason._tag, tag, reason.message)
          assert.match(reason.message, message)
          assert.isFalse(fs.existsSync(directory))
        }
      })
    )
  )
})

/** Opens the database of one memory disk again and again. */
const opener = (
  compression: Compression,
  given: OptionsInput,
  encryption: Layer.Layer<Encryption, DatabaseError> = NoEncryption.layer
) => {
  const { layer } = MemoryDisk.make()
  const database = LsmDatabase.layerWith({ ...given, directory: "/db" }).pipe(
    Layer.provide([layer, encryption, compression])
  )
  return built(database)
}

describe("a random plan agrees with the model", () => {
  const values = { valueThreshold: 16, directValueBytesMin: 300, valueFileBytesMax: 4096 }
  const small = { arenaBytes: 4096, valueBytesMax: 8192, blockBytes: 512, ...values }
  for (const name of Object.keys(compressions) as ReadonlyArray<keyof typeof compressions>) {
    it.effect(`whatever is compressed: ${name}`, () =>
      Effect.forEach(
        [1, 2, 3, 4],
        (seed) =>
          runPlan({ seed, steps: 150, longest: "values", open: opener(compressions[name], small) }).pipe(
            Effect.catchCause((cause) => Effect.die(new Error(`seed ${seed}`, { cause })))
          ),
        { discard: true }
      )
    )
  }

  it.effect("whatever is compressed, and encrypted then: zstd, lz4 and functions", () =>
    Effect.forEach(
      ["zstd", "lz4", "runs"] as const,
      (name) => {
        const encryption = AeadEncryption.layer({ key: Redacted.make(new Uint8Array(32).fill(7)) })
        const open = opener(compressions[name], small, encryption)
        return runPlan({ seed: 5, steps: 150, longest: "values", open })
      },
      { discard: true }
    )
  )
})
