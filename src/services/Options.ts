/**
 * Every limit and default in one place, with its unit in its name.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type DatabaseError, invalid } from "./DatabaseError.ts"

const bytes = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const count = bytes

/**
 * What an acknowledged commit survives: `disk` a power cut, `os` a killed process, `buffered` neither for the last
 * `flushDelayMillis`.
 *
 * @since 0.1.0
 * @category models
 */
export const Durability = Schema.Literals(["disk", "os", "buffered"])

/**
 * One of the durabilities.
 *
 * @since 0.1.0
 * @category models
 */
export type Durability = typeof Durability.Type

/**
 * The longest key, in bytes of the user's. Frozen with the formats.
 *
 * @since 0.1.0
 * @category models
 */
export const keyBytesMax = 65_535

/**
 * The longest block that can be asked for, in bytes. One entry that is longer is a block of its own.
 *
 * @since 0.1.0
 * @category models
 */
export const blockBytesMax = 1024 * 1024

const fields = {
  /** Of commits that do not name their own. Default `disk`. */
  durability: Durability,
  /** Opens without a lock, takes no writes and changes nothing on disk. Default false. */
  readOnly: Schema.Boolean,
  /** Creates the database if the directory holds none. Default true. */
  create: Schema.Boolean,
  /** A buffered commit is handed to the operating system after at most this long. Default 10. */
  flushDelayMillis: bytes(0, 60_000),
  /** Buffered bytes are handed to the operating system when there are this many. Default 256 KiB. */
  flushBytes: bytes(64, 16 * 1024 * 1024),
  /** The inline bytes of one memtable, and so of one commit: what does not fit goes to value files. Default 16 MiB. */
  arenaBytes: bytes(1024, 256 * 1024 * 1024),
  /** Memtables in memory: one taking writes, the others being flushed. Default 3. */
  arenaCount: count(2, 16),
  /** Default 256 MiB. */
  valueBytesMax: bytes(1, 256 * 1024 * 1024),
  /** Longer values move to value files when they are flushed. Default 1 KiB; one of exactly that stays in its table. */
  valueThreshold: bytes(0, 256 * 1024 * 1024),
  /** From this on a value goes to a value file of its own before its commit, and not to the log. Default 256 KiB. */
  directValueBytesMin: bytes(1, 256 * 1024 * 1024),
  /** A value file ends before it would grow over this; it holds one value at least. Default 64 MiB. */
  valueFileBytesMax: bytes(64, 1024 * 1024 * 1024),
  /** Target of a block of a table, before it is compressed. Default 4 KiB. */
  blockBytes: bytes(64, blockBytesMax),
  /** The same of the bottom level while blocks get shorter there by its codec. Default four times `blockBytes`. */
  bottomBlockBytes: Schema.UndefinedOr(bytes(64, blockBytesMax)),
  /** Default 10, about 1 % false positives; 0 writes no filters. */
  filterBitsPerKey: count(0, 32),
  /** The index of a table above this is cut into partitions that are read when they are needed. Default 1 MiB. */
  indexBytesMax: bytes(64, 256 * 1024 * 1024),
  /** Blocks, indexes and filters kept in memory. Default 64 MiB; 0 keeps no blocks. */
  cacheBytes: bytes(0, 64 * 1024 * 1024 * 1024),
  /** Tables and value files that are open at once; others are opened again when they are needed. Default 512. */
  openFilesMax: count(8, 1_048_576),
  /**
   * A closing database flushes its memtable if it holds more than this; below it the log is replayed at the next open.
   * Default 1 MiB.
   */
  flushOnCloseBytesMin: bytes(0, 256 * 1024 * 1024),
  /** Commits that may wait at once; a further one waits to be let in. Default 65,536. */
  commitsPendingMax: count(1, 1_048_576),
  /**
   * Remembered writes for conflict checks, in bytes; over it the oldest are forgotten and older transactions conflict.
   * Default 32 MiB.
   */
  conflictBytesMax: bytes(1024, 1024 * 1024 * 1024),
  /** Tables at level 0 from which they are compacted, writers are slowed, and writers wait. Default 4, 12, 20. */
  level0TablesMin: count(1, 64),
  level0TablesSlow: count(2, 512),
  level0TablesStop: count(3, 1024),
  /** What the first level below level 0 may hold; each deeper one `levelRatio` times more. Default 64 MiB, 10. */
  baseLevelBytes: bytes(1024, 1024 * 1024 * 1024),
  levelRatio: count(2, 100),
  /** A table of the first level below level 0; twice as much at each deeper one, up to eight times. Default 8 MiB. */
  tableBytesMax: bytes(1024, 256 * 1024 * 1024),
  /**
   * A transaction may hold this many bytes of its own writes, without the values that went to value files. Default:
   * `arenaBytes`.
   */
  transactionBytesMax: bytes(1024, 256 * 1024 * 1024),
  /** The manifest is rewritten above this. Default 4 MiB. */
  manifestBytesMax: bytes(256, 64 * 1024 * 1024),
  /**
   * A file of a sixteenth of the size of tables and value files, and at most of this, is kept to be removed when the
   * disk is full: its room pays for removals, flushes, compactions and collections. It is never less than a flush
   * takes: five quarters of `arenaBytes`. Default 32 MiB; 0 keeps none.
   */
  ballastBytesMax: bytes(0, 1024 * 1024 * 1024),
  /** From tables and value files of so many bytes on there is a ballast. Default 64 MiB. */
  ballastLiveBytesMin: bytes(1, Number.MAX_SAFE_INTEGER),
  /** Sequences are reserved in blocks of this many. Default 2^20. */
  sequencesReserved: count(16, 2 ** 30),
  /**
   * An encrypted database gets a new data key by itself when so many bytes, or commits, were written with one, or when
   * it is so old; the rest is written again in the background. The age goes by the clock, and by the time that the
   * database is open with the key if the clock goes back. Default: never.
   */
  dataKeyBytesMax: Schema.UndefinedOr(bytes(1024, 2 ** 50)),
  dataKeyCommitsMax: Schema.UndefinedOr(count(1, 2 ** 50)),
  dataKeyAgeMillisMax: Schema.UndefinedOr(count(1000, 2 ** 40)),
  /**
   * Threads for flushes and compactions; 0 runs them in slices on this one. Default: one less than the machine has
   * cores, 1 at least and 2 at most.
   */
  workers: Schema.UndefinedOr(count(0, 64)),
  /** Synchronous positional reads; false sends them through the thread pool. Default true. */
  synchronousReads: Schema.Boolean
}

const Fields = Schema.Struct(fields)

/**
 * The options of one database.
 *
 * @since 0.1.0
 * @category models
 */
export type OptionsShape = typeof Fields.Type

/**
 * What a user may pass: any part of the options.
 *
 * @since 0.1.0
 * @category models
 */
export interface OptionsInput extends OptionsGiven {
  /**
   * Sets `arenaBytes`, `transactionBytesMax` and `cacheBytes` together, where they are not given: a quarter for the
   * arenas (at most 16 MiB each), the rest for the cache. 8 MiB to 64 GiB.
   */
  readonly memoryBudget?: number | undefined
}

/**
 * Any part of the options.
 *
 * @since 0.1.0
 * @category models
 */
export type OptionsGiven = { readonly [K in keyof OptionsShape]?: OptionsShape[K] | undefined }

/**
 * The defaults.
 *
 * @since 0.1.0
 * @category constructors
 */
export const defaults: OptionsShape = {
  durability: "disk",
  readOnly: false,
  create: true,
  flushDelayMillis: 10,
  flushBytes: 256 * 1024,
  arenaBytes: 16 * 1024 * 1024,
  arenaCount: 3,
  valueBytesMax: 256 * 1024 * 1024,
  valueThreshold: 1024,
  directValueBytesMin: 256 * 1024,
  valueFileBytesMax: 64 * 1024 * 1024,
  blockBytes: 4096,
  bottomBlockBytes: undefined,
  filterBitsPerKey: 10,
  indexBytesMax: 1024 * 1024,
  cacheBytes: 64 * 1024 * 1024,
  openFilesMax: 512,
  flushOnCloseBytesMin: 1024 * 1024,
  commitsPendingMax: 65_536,
  conflictBytesMax: 32 * 1024 * 1024,
  level0TablesMin: 4,
  level0TablesSlow: 12,
  level0TablesStop: 20,
  baseLevelBytes: 64 * 1024 * 1024,
  levelRatio: 10,
  tableBytesMax: 8 * 1024 * 1024,
  transactionBytesMax: 16 * 1024 * 1024,
  manifestBytesMax: 4 * 1024 * 1024,
  ballastBytesMax: 32 * 1024 * 1024,
  ballastLiveBytesMin: 64 * 1024 * 1024,
  sequencesReserved: 2 ** 20,
  dataKeyBytesMax: undefined,
  dataKeyCommitsMax: undefined,
  dataKeyAgeMillisMax: undefined,
  workers: undefined,
  synchronousReads: true
}

/**
 * The options in force. `layer` factories provide it; the default is `defaults`.
 *
 * @since 0.1.0
 * @category services
 */
export const Options = Context.Reference<OptionsShape>("strata/Options", { defaultValue: () => defaults })

/** Checks what is given, and nothing else: a schema of all fields takes 9 ms of a process that just began. */
const decode = (given: OptionsGiven): Effect.Effect<Partial<OptionsShape>, Schema.SchemaError> => {
  const names = Object.keys(given) as Array<keyof OptionsShape>
  const asked = Schema.Struct(Object.fromEntries(names.map((name) => [name, fields[name]])))
  return Schema.decodeUnknownEffect(asked, { errors: "all" })(given)
}

/**
 * Checks what a user passed and fills in the defaults. An unknown name or a value outside its limits is `Invalid`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (input: OptionsInput): Effect.Effect<OptionsShape, DatabaseError> => {
  const { memoryBudget, ...rest } = input
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as OptionsGiven
  const unknown = Object.keys(given).filter((name) => !(name in fields))
  if (unknown.length > 0) {
    const names = [...Object.keys(fields), "memoryBudget"].join(", ")
    return Effect.fail(invalid(`unknown option ${unknown.join(", ")}; the options are ${names}`))
  }
  if (memoryBudget !== undefined && !(memoryBudget >= budgetBytesMin && memoryBudget <= budgetBytesMax)) {
    return Effect.fail(invalid(`memoryBudget is from ${budgetBytesMin} to ${budgetBytesMax} bytes`))
  }
  const shares = memoryBudget === undefined ? {} : budgeted(memoryBudget, given)
  return Effect.flatMap(
    Effect.mapError(decode({ ...shares, ...given }), (error) => invalid(`options: ${error.message}`)),
    (checked) => {
      const options: OptionsShape = { ...defaults, ...checked }
      const { level0TablesMin, level0TablesSlow, level0TablesStop } = options
      if (level0TablesMin <= level0TablesSlow && level0TablesSlow < level0TablesStop) return Effect.succeed(options)
      return Effect.fail(invalid("level0TablesMin <= level0TablesSlow < level0TablesStop must hold"))
    }
  )
}

const budgetBytesMin = 8 * 1024 * 1024
const budgetBytesMax = 64 * 1024 * 1024 * 1024

/** The budget in whole MiB: arenas of which all together are a quarter of it, and the cache. */
const budgeted = (budget: number, given: OptionsGiven): OptionsGiven => {
  const count = given.arenaCount ?? defaults.arenaCount
  const arenaBytes = given.arenaBytes ?? Math.min(defaults.arenaBytes, Math.floor(budget / 4 / count))
  return {
    arenaBytes,
    transactionBytesMax: arenaBytes,
    cacheBytes: Math.max(0, Math.floor(budget - count * arenaBytes))
  }
}
