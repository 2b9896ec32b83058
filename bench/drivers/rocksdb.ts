// @nxtedition/rocksdb 12 (RocksDB 9.7): buffers, a 64 MiB block cache like Strata's, no compression like Strata's
// default, ten bits of filter a key, and otherwise RocksDB's own settings. Its batches are written on the calling
// stack; gets use the call that answers there too. The binding has no way to turn on RocksDB's blob files.
import { createRequire } from "node:module"
import { emptyTally, type Keys, tallyKey, tallyValue } from "../data.ts"
import { type Driver, keptAfterKill, type Session } from "./driver.ts"
import { groupedByTurn, runWriters } from "./turns.ts"

interface Batch {
  readonly put: (key: Uint8Array, value: Uint8Array) => Batch
  readonly write: (options: { readonly sync: boolean }) => Promise<void>
}

interface Rows {
  /** Keys and values by turns, `undefined` where they were not asked for. */
  readonly rows: ReadonlyArray<Uint8Array | undefined>
  readonly finished: boolean
}

interface Iterator {
  readonly _nextvAsync: (size: number, options: object) => Promise<Rows>
  readonly close: () => Promise<void>
}

interface Connection {
  readonly open: () => Promise<void>
  readonly close: () => Promise<void>
  readonly batch: () => Batch
  readonly put: (key: Uint8Array, value: Uint8Array, options: { readonly sync: boolean }) => Promise<void>
  readonly _getManySync: (keys: Keys) => ReadonlyArray<Uint8Array | undefined>
  readonly iterator: (options: object) => Iterator
}

interface Binding {
  readonly RocksLevel: new (directory: string, options: object) => Connection
}

// It has no types of its own.
const { RocksLevel } = createRequire(import.meta.url)("@nxtedition/rocksdb") as Binding

/** As many threads for flushing and compaction as there are cores. */
const parallelism = 2

const connect = (directory: string) =>
  new RocksLevel(`${directory}/rocks`, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
    cacheSize: 64 * 1024 * 1024,
    compression: false,
    walCompression: false,
    parallelism
  })

const chunkEntries = 1000
const asBuffers = { keyEncoding: "buffer", valueEncoding: "buffer", highWaterMarkBytes: 1024 * 1024 }

/** The value of each row, or the key where values were not asked for. */
const eachRow = async (iterator: Iterator, size: number, use: (row: Uint8Array) => void): Promise<void> => {
  for (let left = size; left > 0;) {
    const { finished, rows } = await iterator._nextvAsync(Math.min(left, chunkEntries), {})
    for (let at = 0; at < rows.length; at += 2) use((rows[at + 1] ?? rows[at])!)
    left -= rows.length / 2
    if (finished) break
  }
  await iterator.close()
}

const valueOf = (db: Connection, key: Uint8Array): Uint8Array | undefined => db._getManySync([key])[0]

const reads = (db: Connection): Pick<Session, "count" | "get" | "keys" | "ranges" | "scan"> => ({
  get: {
    owned: (keys) => {
      const tally = emptyTally()
      for (const key of keys) {
        const value = valueOf(db, key)
        if (value !== undefined) tallyValue(tally, value)
      }
      return tally
    }
  },
  scan: {
    owned: async () => {
      const tally = emptyTally()
      await eachRow(db.iterator(asBuffers), Infinity, (value) => tallyValue(tally, value))
      return tally
    }
  },
  keys: {
    owned: async () => {
      const tally = emptyTally()
      await eachRow(db.iterator({ ...asBuffers, values: false }), Infinity, (key) => tallyKey(tally, key))
      return tally
    }
  },
  ranges: {
    owned: async ({ limit, starts }) => {
      const tally = emptyTally()
      for (const start of starts) {
        await eachRow(db.iterator({ ...asBuffers, gte: start, limit }), limit, (value) => tallyValue(tally, value))
      }
      return tally
    }
  },
  count: async ({ next, prefix }) => {
    let count = 0
    const range = { gte: Buffer.from(prefix), lt: Buffer.from(next), values: false }
    await eachRow(db.iterator({ ...asBuffers, ...range }), Infinity, () => count++)
    return count
  }
})

const writes = (
  db: Connection,
  sync: boolean
): Pick<Session, "getAndSet" | "set" | "transact" | "write" | "writers"> => {
  const writeAll = (keys: Keys, values: Keys) => {
    const batch = db.batch()
    for (let index = 0; index < keys.length; index++) batch.put(keys[index]!, values[index]!)
    return batch.write({ sync })
  }
  return {
    write: ({ keys, values }) => writeAll(keys, values),
    set: {
      "one by one": async ({ keys, values }) => {
        for (let index = 0; index < keys.length; index++) await db.put(keys[index]!, values[index]!, { sync })
      }
    },
    transact: {
      "one by one": async ({ keys, values }) => {
        const tally = emptyTally()
        for (let at = 0; at < keys.length; at += 4) {
          tallyValue(tally, valueOf(db, keys[at]!)!)
          tallyValue(tally, valueOf(db, keys[at + 1]!)!)
          await writeAll(keys.slice(at + 2, at + 4), values.slice(at + 2, at + 4))
        }
        return tally
      }
    },
    getAndSet: async ({ keys, millis, values }) => {
      const tally = emptyTally()
      for (let index = 0; index < keys.length; index++) {
        const start = performance.now()
        const value = valueOf(db, keys[index]!)
        millis[index] = performance.now() - start
        tallyValue(tally, value!)
        await db.put(keys[index]!, values[index]!, { sync })
      }
      return tally
    },
    writers: { "grouped by hand": (run) => runWriters(run, groupedByTurn(writeAll)) }
  }
}

export const driver: Driver = {
  arrays: "buffer",
  durable: true,
  logStructured: true,
  fillMode: "sync: false",
  unsynced: { "sync: false": { kill: keptAfterKill, power: "tail lost" } },
  synced: { "sync: true": { kill: keptAfterKill, power: "kept" } },
  open: async (directory, mode) => {
    const db = connect(directory)
    await db.open()
    return { ...reads(db), ...writes(db, mode === "sync: true"), close: () => db.close() }
  }
}
