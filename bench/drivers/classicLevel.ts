// classic-level 3 (LevelDB): buffers, a 64 MiB block cache like Strata's, no compression like Strata's default,
// iterators read in chunks.
import { ClassicLevel } from "classic-level"
import { emptyTally, tallyKey, tallyValue } from "../data.ts"
import { type Driver, keptAfterKill, type Session } from "./driver.ts"
import { groupedByTurn, runWriters } from "./turns.ts"

const connect = (directory: string) =>
  new ClassicLevel<Buffer, Buffer>(`${directory}/level`, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
    cacheSize: 64 * 1024 * 1024,
    writeBufferSize: 16 * 1024 * 1024,
    compression: false
  })

type Connection = ReturnType<typeof connect>

/** As many sets as are under way at once; more gained nothing. */
const inFlightMax = 1000
const chunkEntries = 1000

interface Keys {
  readonly nextv: (size: number) => Promise<ReadonlyArray<Buffer>>
  readonly close: () => Promise<void>
}

const eachKey = async (keys: Keys, use: (key: Buffer) => void): Promise<void> => {
  for (;;) {
    const chunk = await keys.nextv(chunkEntries)
    if (chunk.length === 0) break
    for (const key of chunk) use(key)
  }
  await keys.close()
}

const reads = (db: Connection): Pick<Session, "count" | "get" | "keys" | "ranges" | "scan"> => ({
  get: {
    owned: (keys) => {
      const tally = emptyTally()
      for (const key of keys) {
        const value = db.getSync(key as Buffer)
        if (value !== undefined) tallyValue(tally, value)
      }
      return tally
    }
  },
  scan: {
    owned: async () => {
      const tally = emptyTally()
      const iterator = db.iterator({ highWaterMarkBytes: 1024 * 1024 })
      for (;;) {
        const entries = await iterator.nextv(chunkEntries)
        if (entries.length === 0) break
        for (const [, value] of entries) tallyValue(tally, value!)
      }
      await iterator.close()
      return tally
    }
  },
  keys: {
    owned: async () => {
      const tally = emptyTally()
      await eachKey(db.keys({ highWaterMarkBytes: 1024 * 1024 }), (key) => tallyKey(tally, key))
      return tally
    }
  },
  ranges: {
    owned: async ({ limit, starts }) => {
      const tally = emptyTally()
      for (const start of starts) {
        const entries = await db.iterator({ gte: start as Buffer, limit }).all()
        for (const [, value] of entries) tallyValue(tally, value!)
      }
      return tally
    }
  },
  count: async ({ next, prefix }) => {
    const keys = db.keys({ gte: Buffer.from(prefix), lt: Buffer.from(next), highWaterMarkBytes: 1024 * 1024 })
    let count = 0
    await eachKey(keys, () => count++)
    return count
  }
})

const writes = (
  db: Connection,
  sync: boolean
): Pick<Session, "getAndSet" | "set" | "transact" | "write" | "writers"> => ({
  write: ({ keys, values }) => {
    const batch = db.batch()
    for (let index = 0; index < keys.length; index++) batch.put(keys[index]! as Buffer, values[index]! as Buffer)
    return batch.write({ sync })
  },
  set: {
    "one by one": async ({ keys, values }) => {
      for (let index = 0; index < keys.length; index++) {
        await db.put(keys[index]! as Buffer, values[index]! as Buffer, { sync })
      }
    },
    "in flight": async ({ keys, values }) => {
      for (let from = 0; from < keys.length; from += inFlightMax) {
        const group = keys.slice(from, from + inFlightMax)
        await Promise.all(group.map((key, index) => db.put(key as Buffer, values[from + index]! as Buffer, { sync })))
      }
    }
  },
  transact: {
    "one by one": async ({ keys, values }) => {
      const tally = emptyTally()
      for (let at = 0; at < keys.length; at += 4) {
        tallyValue(tally, db.getSync(keys[at]! as Buffer)!)
        tallyValue(tally, db.getSync(keys[at + 1]! as Buffer)!)
        await db
          .batch()
          .put(keys[at + 2]! as Buffer, values[at + 2]! as Buffer)
          .put(keys[at + 3]! as Buffer, values[at + 3]! as Buffer)
          .write({ sync })
      }
      return tally
    }
  },
  getAndSet: async ({ keys, millis, values }) => {
    const tally = emptyTally()
    for (let index = 0; index < keys.length; index++) {
      const start = performance.now()
      const value = db.getSync(keys[index]! as Buffer)
      millis[index] = performance.now() - start
      tallyValue(tally, value!)
      await db.put(keys[index]! as Buffer, values[index]! as Buffer, { sync })
    }
    return tally
  },
  writers: {
    "in flight": (run) => runWriters(run, (key, value) => db.put(key as Buffer, value as Buffer, { sync })),
    "grouped by hand": (run) =>
      runWriters(
        run,
        groupedByTurn((keys, values) => {
          const batch = db.batch()
          for (let index = 0; index < keys.length; index++) batch.put(keys[index]! as Buffer, values[index]! as Buffer)
          return batch.write({ sync })
        })
      )
  }
})

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
