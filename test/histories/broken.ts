// Databases that break their promises of isolation in one place each, so that tests can show that a history of them is
// found out. All but one have another oracle: it is where moments are opened and conflicts are looked for.
import { Context, Effect, Layer } from "effect"
import * as ArenaMemtable from "../../src/layers/ArenaMemtable.ts"
import * as FileManifest from "../../src/layers/FileManifest.ts"
import * as FileSsTable from "../../src/layers/FileSsTable.ts"
import * as FileValueLog from "../../src/layers/FileValueLog.ts"
import * as FileWal from "../../src/layers/FileWal.ts"
import * as InlineJobs from "../../src/layers/InlineJobs.ts"
import * as LocalOracle from "../../src/layers/LocalOracle.ts"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import * as SieveBlockCache from "../../src/layers/SieveBlockCache.ts"
import * as WaryDisk from "../../src/layers/WaryDisk.ts"
import { Directory } from "../../src/services/Directory.ts"
import * as Options from "../../src/services/Options.ts"
import { type Moment, Oracle, type OracleService } from "../../src/services/Oracle.ts"
import { built, directory, open } from "../support/opened.ts"
import type { Open } from "./simulated.ts"

type Change = (oracle: OracleService) => Partial<OracleService>

const withOracle =
  (change: Change): Open =>
  (disk, input) =>
    Effect.flatMap(Options.make(input), (options) => {
      const local = Layer.build(LocalOracle.layer)
      const changed = Effect.map(local, (context) => {
        const oracle = Context.get(context, Oracle)
        return Oracle.of({ ...oracle, ...change(oracle) })
      })
      return built(
        LsmDatabase.layerNoDeps.pipe(
          Layer.provide([FileWal.layer, ArenaMemtable.layer, Layer.effect(Oracle, changed)]),
          Layer.provide([FileSsTable.layer, FileValueLog.layer, InlineJobs.layer]),
          Layer.provide(SieveBlockCache.layer),
          Layer.provide(FileManifest.layer),
          Layer.provide(WaryDisk.layer),
          Layer.provide([Layer.succeed(Directory, { path: directory }), Layer.succeed(Options.Options, options)]),
          Layer.provide([disk, NoEncryption.layer])
        )
      )
    })

/** The moment, but for what it reads. */
const reading = (moment: Moment, sequence: () => number): Moment => ({
  since: moment.since,
  nowMillis: moment.nowMillis,
  release: moment.release,
  get sequence() {
    return sequence()
  }
})

/** Reads of transactions are remembered by nobody, whatever was asked for. */
const untracked: Open = (disk, options) =>
  Effect.map(open(disk, options), ({ database, maintenance }) => ({
    maintenance,
    database: {
      ...database,
      begin: (given) => database.begin({ ...given, isolation: "snapshot" }),
      transaction: (body, given) => database.transaction(body, { ...given, isolation: "snapshot" })
    }
  }))

export const broken: Readonly<Record<string, Open>> = {
  "ranges that were read are not looked at": withOracle((oracle) => ({
    conflict: (reads, since) => oracle.conflict({ keys: reads.keys, ranges: [] }, since)
  })),
  "keys that were read are not looked at": withOracle((oracle) => ({
    conflict: (reads, since) => oracle.conflict({ keys: [], ranges: reads.ranges }, since)
  })),
  "reads are not tracked": untracked,
  "nothing conflicts": withOracle(() => ({ conflict: () => 0 })),
  "removals of ranges are not learned": withOracle(() => ({ learnRange: () => {} })),
  "the write just after a moment is not looked at": withOracle((oracle) => ({
    conflict: (reads, since) => oracle.conflict(reads, since + 1)
  })),
  "transactions older than what is remembered do not conflict": withOracle((oracle) => ({
    conflict: (reads, since) => (since < oracle.stats().floor ? 0 : oracle.conflict(reads, since))
  })),
  "what a reader sees moves on": withOracle((oracle) => ({
    open: (tracked) => reading(oracle.open(tracked), oracle.visible)
  })),
  "a transaction begins before the last commit": withOracle((oracle) => ({
    open: (tracked) => {
      const moment = oracle.open(tracked)
      const sequence = Math.max(0, moment.sequence - 1)
      return tracked ? reading(moment, () => sequence) : moment
    }
  }))
}
