// The SQLite that comes with Node.
import { DatabaseSync } from "node:sqlite"
import { type Connection, makeDriver, type Statement } from "./sqlite.ts"

const connect = (file: string): Connection => {
  const db = new DatabaseSync(file)
  const prepareRows = (sql: string): Statement => {
    const statement = db.prepare(sql)
    statement.setReturnArrays(true)
    return statement as unknown as Statement
  }
  return {
    exec: (sql) => db.exec(sql),
    prepare: (sql) => db.prepare(sql) as unknown as Statement,
    prepareRows,
    prepareValue: (sql) => {
      const statement = prepareRows(sql)
      return (key) => statement.get(key)?.[0] as Uint8Array | undefined
    },
    close: () => db.close()
  }
}

export const driver = makeDriver(connect)
