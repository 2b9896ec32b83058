// A JavaScript `Map`, the floor: no order, no disk, no copies. Its keys are strings, made from the bytes inside the
// loop as a user of bytes would.
import { emptyTally, tallyValue } from "../data.ts"
import type { Driver, Session } from "./driver.ts"

const open = (): Session => {
  const map = new Map<string, Uint8Array>()
  const nameOf = (key: Uint8Array) => (key as Buffer).toString("latin1")
  const setAll: Session["write"] = ({ keys, values }) => {
    for (let index = 0; index < keys.length; index++) map.set(nameOf(keys[index]!), values[index]!)
  }
  return {
    close: () => map.clear(),
    write: setAll,
    get: {
      view: (keys) => {
        const tally = emptyTally()
        for (const key of keys) {
          const value = map.get(nameOf(key))
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
  fillMode: "memory",
  unsynced: { memory: { kill: "lost", power: "lost" } },
  synced: {},
  open
}
