// What the two SQLite drivers share: one table without row ids, write-ahead log, one process (as Strata), 64 MiB of
// page cache, prepared statements, rows as arrays.
import { emptyTally, type Keys, type Tally, tallyKey, tallyValue } from "../data.ts"
import { type Driver, keptAfterKill, type Session } from "./driver.ts"
import { groupedByTurn, runWriters } from "./turns.ts"

type Row = ReadonlyArray<Uint8Array | number>

export interface Statement {
  readonly get: (...parameters: Array<Uint8Array | number>) => Row | undefined
  readonly run: (...parameters: Array<Uint8Array | number>) => unknown
  readonly iterate: (...parameters: Array<Uint8Array | number>) => Iterable<Row>
  readonly all: (...parameters: Array<Uint8Array | number>) => ReadonlyArray<Row>
}

export interface Connection {
  readonly exec: (sql: string) => unknown
  /** A statement whose rows are arrays. */
  readonly prepareRows: (sql: string) => Statement
  /** A statement of one row with one column, which is returned bare. */
  readonly prepareValue: (sql: string) => (key: Uint8Array) => Uint8Array | undefined
  readonly prepare: (sql: string) => Pick<Statement, "run">
  readonly close: () => void
}

const setup = (db: Connection, synchronous: string): void => {
  // Halves the cost of a get: no lock is taken for each.
  db.exec("pragma locking_mode = exclusive")
  db.exec("pragma journal_mode = wal")
  db.exec(`pragma synchronous = ${synchronous}`)
  db.exec("pragma cache_size = -65536")
  db.exec("pragma mmap_size = 1073741824")
  db.exec("create table if not exists kv (key blob primary key, value blob not null) without rowid")
}

const valueOf = (row: Row): Uint8Array => row[0] as Uint8Array

const reads = (db: Connection): Pick<Session, "count" | "get" | "keys" | "ranges" | "scan"> => {
  const get = db.prepareValue("select value from kv where key = ?")
  const scan = db.prepareRows("select value, key from kv order by key")
  const range = db.prepareRows("select value, key from kv where key >= ? order by key limit ?")
  const keys = db.prepareRows("select key from kv order by key")
  const count = db.prepareRows("select count(*) from kv where key >= ? and key < ?")
  return {
    get: {
      owned: (keys) => {
        const tally = emptyTally()
        for (const key of keys) {
          const value = get(key)
          if (value !== undefined) tallyValue(tally, value)
        }
        return tally
      }
    },
    scan: {
      owned: () => {
        const tally = emptyTally()
        for (const row of scan.iterate()) tallyValue(tally, valueOf(row))
        return tally
      }
    },
    keys: {
      owned: () => {
        const tally = emptyTally()
        for (const row of keys.iterate()) tallyKey(tally, valueOf(row))
        return tally
      }
    },
    ranges: {
      owned: ({ limit, starts }) => {
        const tally = emptyTally()
        for (const start of starts) for (const row of range.all(start, limit)) tallyValue(tally, valueOf(row))
        return tally
      }
    },
    count: ({ next, prefix }) => count.get(Buffer.from(prefix), Buffer.from(next))![0] as number
  }
}

const writes = (db: Connection): Pick<Session, "getAndSet" | "set" | "transact" | "write" | "writers"> => {
  const get = db.prepareValue("select value from kv where key = ?")
  const set = db.prepare("insert or replace into kv values (?, ?)")
  const begin = db.prepare("begin immediate")
  const commit = db.prepare("commit")
  const setAll = (keys: Keys, values: Keys): void => {
    for (let index = 0; index < keys.length; index++) set.run(keys[index]!, values[index]!)
  }
  const setTogether = (keys: Keys, values: Keys): void => {
    begin.run()
    setAll(keys, values)
    commit.run()
  }
  const readTwoSetTwo = ({ keys, values }: { keys: Keys; values: Keys }): Tally => {
    const tally = emptyTally()
    for (let at = 0; at < keys.length; at += 4) {
      begin.run()
      tallyValue(tally, get(keys[at]!)!)
      tallyValue(tally, get(keys[at + 1]!)!)
      set.run(keys[at + 2]!, values[at + 2]!)
      set.run(keys[at + 3]!, values[at + 3]!)
      commit.run()
    }
    return tally
  }
  return {
    write: ({ keys, values }) => setTogether(keys, values),
    set: { "one by one": ({ keys, values }) => setAll(keys, values) },
    transact: { "one by one": readTwoSetTwo },
    getAndSet: ({ keys, millis, values }) => {
      const tally = emptyTally()
      for (let index = 0; index < keys.length; index++) {
        const start = performance.now()
        const value = get(keys[index]!)
        millis[index] = performance.now() - start
        tallyValue(tally, value!)
        set.run(keys[index]!, values[index]!)
      }
      return tally
    },
    writers: { "grouped by hand": (run) => runWriters(run, groupedByTurn(setTogether)) }
  }
}

export const makeDriver = (connect: (file: string) => Connection): Driver => ({
  arrays: "buffer",
  durable: true,
  fillMode: "synchronous=off",
  unsynced: { "synchronous=off": { kill: keptAfterKill, power: "may be damaged" } },
  synced: { "synchronous=full": { kill: keptAfterKill, power: "kept" } },
  open: (directory, mode) => {
    const db = connect(`${directory}/sqlite.db`)
    setup(db, mode.slice("synchronous=".length))
    return { ...reads(db), ...writes(db), close: () => db.close() }
  }
})
