// better-sqlite3, which has no types of its own.
import { createRequire } from "node:module"
import { type Connection, makeDriver, type Statement } from "./sqlite.ts"

interface BetterStatement extends Statement {
  readonly raw: () => Statement
  readonly pluck: () => { readonly get: (key: Uint8Array) => Uint8Array | undefined }
}

interface BetterConnection {
  readonly exec: (sql: string) => unknown
  readonly prepare: (sql: string) => BetterStatement
  readonly close: () => void
}

const BetterSqlite3 = createRequire(import.meta.url)("better-sqlite3") as new (file: string) => BetterConnection

const connect = (file: string): Connection => {
  const db = new BetterSqlite3(file)
  return {
    exec: (sql) => db.exec(sql),
    prepare: (sql) => db.prepare(sql),
    prepareRows: (sql) => db.prepare(sql).raw(),
    prepareValue: (sql) => {
      const statement = db.prepare(sql).pluck()
      return (key) => statement.get(key)
    },
    close: () => void db.close()
  }
}

export const driver = makeDriver(connect)
