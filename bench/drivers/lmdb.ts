// lmdb 3: binary keys and values, no cache of decoded objects. A get may copy (`getBinary`) or fill a buffer that is
// used again (`getBinaryFast`).
import { open as openLmdb } from "lmdb"
import { emptyTally, type Keys, tallyKey, tallyValue } from "../data.ts"
import { type Driver, keptAfterKill, type Session } from "./driver.ts"
import { runWriters } from "./turns.ts"

const connect = (directory: string, mode: string) =>
  openLmdb<Buffer, Uint8Array>({
    path: `${directory}/lmdb`,
    encoding: "binary",
    keyEncoding: "binary",
    cache: false,
    noSync: mode === "noSync",
    // A commit is complete only when it is on disk.
    overlappingSync: false
  })

type Connection = ReturnType<typeof connect>

const reads = (db: Connection): Pick<Session, "count" | "get" | "keys" | "ranges" | "scan"> => ({
  get: {
    owned: (keys) => {
      const tally = emptyTally()
      for (const key of keys) {
        const value = db.getBinary(key)
        if (value !== undefined) tallyValue(tally, value)
      }
      return tally
    },
    view: (keys) => {
      const tally = emptyTally()
      for (const key of keys) {
        const value = db.getBinaryFast(key)
        if (value !== undefined) tallyValue(tally, value)
      }
      return tally
    }
  },
  scan: {
    owned: () => {
      const tally = emptyTally()
      for (const { value } of db.getRange()) tallyValue(tally, value)
      return tally
    }
  },
  keys: {
    owned: () => {
      const tally = emptyTally()
      for (const key of db.getKeys()) tallyKey(tally, key)
      return tally
    }
  },
  ranges: {
    owned: ({ limit, starts }) => {
      const tally = emptyTally()
      for (const start of starts) {
        for (const { value } of db.getRange({ start, limit })) tallyValue(tally, value)
      }
      return tally
    }
  },
  count: ({ next, prefix }) => db.getKeysCount({ start: Buffer.from(prefix), end: Buffer.from(next) })
})

const putAllSync = (db: Connection, keys: Keys, values: Keys): void => {
  for (let index = 0; index < keys.length; index++) db.putSync(keys[index]!, values[index]! as Buffer)
}

const readTwoSetTwo =
  (db: Connection, keys: Keys, values: Keys) => (at: number, tally: ReturnType<typeof emptyTally>) => {
    tallyValue(tally, db.getBinary(keys[at]!)!)
    tallyValue(tally, db.getBinary(keys[at + 1]!)!)
    void db.put(keys[at + 2]!, values[at + 2]! as Buffer)
    void db.put(keys[at + 3]!, values[at + 3]! as Buffer)
  }

const writes = (db: Connection): Pick<Session, "getAndSet" | "set" | "transact" | "write" | "writers"> => ({
  write: ({ keys, values }) => db.transactionSync(() => putAllSync(db, keys, values)),
  set: {
    "one by one": ({ keys, values }) => putAllSync(db, keys, values),
    "in flight": async ({ keys, values }) => {
      let last: Promise<boolean> | undefined
      for (let index = 0; index < keys.length; index++) last = db.put(keys[index]!, values[index]! as Buffer)
      await last
    }
  },
  transact: {
    "one by one": ({ keys, values }) => {
      const tally = emptyTally()
      const body = readTwoSetTwo(db, keys, values)
      for (let at = 0; at < keys.length; at += 4) db.transactionSync(() => body(at, tally))
      return tally
    },
    "in flight": async ({ keys, values }) => {
      const tally = emptyTally()
      const body = readTwoSetTwo(db, keys, values)
      let last: Promise<unknown> | undefined
      for (let at = 0; at < keys.length; at += 4) last = db.transaction(() => body(at, tally))
      await last
      return tally
    }
  },
  getAndSet: ({ keys, millis, values }) => {
    const tally = emptyTally()
    for (let index = 0; index < keys.length; index++) {
      const start = performance.now()
      const value = db.getBinary(keys[index]!)
      millis[index] = performance.now() - start
      tallyValue(tally, value!)
      db.putSync(keys[index]!, values[index]! as Buffer)
    }
    return tally
  },
  writers: { "in flight": (run) => runWriters(run, (key, value) => db.put(key, value as Buffer)) }
})

export const driver: Driver = {
  arrays: "buffer",
  durable: true,
  fillMode: "noSync",
  unsynced: { noSync: { kill: keptAfterKill, power: "may be damaged" } },
  synced: { sync: { kill: keptAfterKill, power: "kept" } },
  open: (directory, mode) => {
    const db = connect(directory, mode)
    return { ...reads(db), ...writes(db), close: () => db.close() }
  }
}
