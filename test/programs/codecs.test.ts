import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import * as CustomCompression from "../../src/layers/CustomCompression.ts"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as Lz4Compression from "../../src/layers/Lz4Compression.ts"
import * as NoCompression from "../../src/layers/NoCompression.ts"
import * as SnappyCompression from "../../src/layers/SnappyCompression.ts"
import { Database } from "../../src/services/Database.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"
import { runs } from "../support/codecs.ts"
import { on, temporaryDirectory } from "./support.ts"

const compacted = (directory: string, compression: LsmDatabase.Location["compression"]) =>
  Effect.gen(function* () {
    const database = yield* Database
    yield* database.set("key", "value ".repeat(100))
    yield* (yield* Maintenance).compact()
  }).pipe(Effect.provide(Layer.fresh(LsmDatabase.layer({ directory, compression }))))

const tablesOf = (directory: string): ReadonlyArray<string> =>
  fs.readdirSync(directory).filter((name) => name.endsWith(".sst"))

const contentOf = (directory: string): string =>
  tablesOf(directory)
    .map((name) => fs.readFileSync(path.join(directory, name), "latin1"))
    .join()

describe("the command line", () => {
  it.live("reads and compacts databases of the codecs whose packages are installed", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      const strata = on(directory)
      yield* compacted(directory, SnappyCompression.layer)
      yield* compacted(directory, Lz4Compression.layer.pipe(Layer.provide(SnappyCompression.layer)))
      assert.strictEqual(strata(["get", "key"]).text, "value ".repeat(100))
      assert.strictEqual(strata(["compact"]).code, 0)
      assert.strictEqual(strata(["verify"]).code, 0)
      assert.strictEqual(strata(["get", "key"]).text, "value ".repeat(100))
    })
  )

  for (const [codec, layer] of [
    ["none", NoCompression.layer],
    ["lz4", Lz4Compression.layer]
  ] as const) {
    it.live(`compacts by the codec that the tables have, and leaves those that have it: ${codec}`, () =>
      Effect.gen(function* () {
        const directory = temporaryDirectory()
        const strata = on(directory)
        yield* compacted(directory, layer)
        const tables = tablesOf(directory)
        assert.strictEqual(strata(["compact"]).code, 0)
        assert.deepStrictEqual(tablesOf(directory), tables)
        strata(["set", "other", "value ".repeat(100)])
        assert.strictEqual(strata(["compact"]).code, 0)
        const merged = tablesOf(directory)
        assert.notDeepEqual(merged, tables)
        // It has nothing to write again.
        assert.strictEqual(strata(["compact", "--codec", codec]).code, 0)
        assert.deepStrictEqual(tablesOf(directory), merged)
      })
    )
  }

  it.live("compacts by another codec where it is told to", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      const strata = on(directory)
      yield* compacted(directory, NoCompression.layer)
      for (const codec of ["zstd", "none"]) {
        const isPlain = contentOf(directory).includes("value value value value")
        assert.strictEqual(strata(["compact", "--codec", codec]).code, 0)
        assert.strictEqual(contentOf(directory).includes("value value value value"), !isPlain)
      }
      assert.strictEqual(strata(["get", "key"]).text, "value ".repeat(100))
    })
  )

  it.live("names the codec of a database that it does not have", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      yield* compacted(directory, CustomCompression.layer(runs))
      const { code, error } = on(directory)(["get", "key"])
      assert.notStrictEqual(code, 0)
      assert.match(error, /codec 64, "runs"/)
    })
  )
})
