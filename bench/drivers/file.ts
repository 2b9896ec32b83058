// A file that is appended to and synced, without a database: the floor under a durable set. It appends what Strata's
// log has for such a set, about 150 bytes, by one call, and syncs through the thread pool.
import { close, fdatasync, open, write } from "node:fs"
import { promisify } from "node:util"
import { emptyTally, tallyValue } from "../data.ts"
import type { Driver, Session } from "./driver.ts"

/** What a log adds to the bytes of a key and a value of 128. */
const frameBytes = 16
const [opened, synced, closed] = [promisify(open), promisify(fdatasync), promisify(close)]

const openFile = async (directory: string): Promise<Session> => {
  const descriptor = await opened(`${directory}/appended`, "a")
  const values = new Map<string, Uint8Array>()
  const append = (bytes: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      write(descriptor, bytes, (error) => (error === null ? resolve() : reject(error)))
    })
  const setAll: Session["write"] = async ({ keys, values: given }) => {
    for (let index = 0; index < keys.length; index++) {
      const [key, value] = [keys[index]!, given[index]!]
      await append(Buffer.concat([key, value, Buffer.alloc(frameBytes)]))
      await synced(descriptor)
      values.set((key as Buffer).toString("latin1"), value)
    }
  }
  return {
    close: () => closed(descriptor),
    write: setAll,
    get: {
      view: (keys) => {
        const tally = emptyTally()
        for (const key of keys) {
          const value = values.get((key as Buffer).toString("latin1"))
          if (value !== undefined) tallyValue(tally, value)
        }
        return tally
      }
    },
    set: { "one by one": setAll }
  }
}

export const driver: Driver = {
  arrays: "buffer",
  durable: false,
  groups: ["durable-one"],
  fillMode: "append and fdatasync",
  unsynced: {},
  synced: { "append and fdatasync": { kill: "kept", power: "kept" } },
  open: openFile
}
