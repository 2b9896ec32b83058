import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import type { Plain } from "../internal/format/entries.ts"
import { Dice } from "../internal/format/support.ts"
import * as memoryManifest from "../support/memoryManifest.ts"
import {
  answersOf,
  entriesOf,
  find,
  inMemory,
  randomTable,
  simulated,
  tablesOn,
  writeEntries,
  openTable
} from "../support/tables.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import { ssTableSuite, type SsTableUnderTest } from "../suites/ssTableSuite.ts"

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "strata-table-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const under = (disk: DiskService, directory: string, afterPowerCut?: () => DiskService): SsTableUnderTest => {
  const manifest = memoryManifest.make(directory)
  return {
    disk,
    directory,
    tables: (options) => tablesOn(disk, manifest, options),
    ...(afterPowerCut === undefined ? {} : { afterPowerCut: () => tablesOn(afterPowerCut(), manifest) })
  }
}

ssTableSuite(
  "FileSsTable on MemoryDisk",
  Effect.map(inMemory, (disk) => under(disk, "/db"))
)
for (const synchronousReads of [true, false]) {
  const reads = synchronousReads ? "" : ", asynchronous reads"
  ssTableSuite(
    `FileSsTable on NodeDisk${reads}`,
    Effect.map(temporaryDirectory, (directory) => under(NodeDisk.make({ synchronousReads }), directory))
  )
  ssTableSuite(
    `FileSsTable on SimDisk${reads}`,
    Effect.map(simulated({ synchronousReads }), ({ disk, files }) =>
      under(disk, "/db", () => MemoryDisk.fromImage(files.crash(outcomes[0]!, new SeededRandom(1))).disk)
    )
  )
}

describe("FileSsTable: any entries", () => {
  const blockSizes = [64, 100, 512, 4096, 32 * 1024]
  it.live("everything written reads back, through searches too", () =>
    Effect.forEach(
      Array.from({ length: 40 }, (_, index) => index + 1),
      (seed) => {
        const dice = new Dice(seed)
        const options = {
          blockBytes: dice.pick(blockSizes),
          filterBitsPerKey: dice.pick([0, 10]),
          indexBytesMax: dice.pick([64, 1000, 1024 * 1024]),
          cacheBytes: dice.pick([0, 10_000, 1024 * 1024])
        }
        const entries = randomTable(dice, { count: 1 + dice.below(200), large: seed % 6 === 0 })
        return checkRoundTrip(entries, options).pipe(
          Effect.catchCause((cause) => Effect.die(new Error(`seed ${seed}, ${JSON.stringify(options)}`, { cause })))
        )
      }
    )
  )
})

const checkRoundTrip = (entries: ReadonlyArray<Plain>, options: OptionsInput) =>
  Effect.scoped(
    Effect.gen(function* () {
      const tables = yield* tablesOn(yield* inMemory, memoryManifest.make("/db"), options)
      const meta = yield* writeEntries(tables, entries)
      const table = yield* openTable(tables, meta)
      assert.deepStrictEqual(yield* entriesOf(table), entries)
      const expected = answersOf(entries)
      const step = Math.ceil(entries.length / 150)
      for (const { key, sequence } of entries.filter((_, index) => index % step === 0)) {
        for (const at of [sequence, sequence - 1, sequence + 1, Number.MAX_SAFE_INTEGER]) {
          assert.deepStrictEqual(yield* find(table, key, at), expected(key, at))
        }
        for (const other of [`${key}\0`, key.slice(0, -1), `${key}\xff`]) {
          assert.deepStrictEqual(yield* find(table, other, sequence), expected(other, sequence))
        }
      }
      const report = yield* tables.verify(meta)
      const { blockCount } = yield* table.open
      assert.deepStrictEqual(report, { blocks: blockCount, entries: entries.length, damage: [] })
    })
  )
