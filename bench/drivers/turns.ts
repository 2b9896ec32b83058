// Concurrent writers, for the engines that do not group commits by themselves: the sets of one turn of the event loop
// become one transaction.
import type { Keys } from "../data.ts"
import type { WriteRun } from "./driver.ts"

type Set = (key: Uint8Array, value: Uint8Array) => Promise<unknown>

/** Runs `writers` asynchronous writers over the keys; each waits for its set before it takes the next key. */
export const runWriters = async (run: WriteRun & { readonly writers: number }, set: Set): Promise<void> => {
  let next = 0
  const writer = async (): Promise<void> => {
    while (next < run.keys.length) {
      const index = next++
      await set(run.keys[index]!, run.values[index]!)
    }
  }
  await Promise.all(Array.from({ length: run.writers }, writer))
}

/** A `set` whose calls of one turn are committed together by `commit`. */
export const groupedByTurn = (commit: (keys: Keys, values: Keys) => void | Promise<void>): Set => {
  let keys: Array<Uint8Array> = []
  let values: Array<Uint8Array> = []
  let turn: Promise<void> | undefined
  const endOfTurn = () => new Promise<void>((resolve) => void setImmediate(resolve))
  const flush = async (): Promise<void> => {
    await endOfTurn()
    const group = { keys, values }
    keys = []
    values = []
    turn = undefined
    await commit(group.keys, group.values)
  }
  return (key, value) => {
    keys.push(key)
    values.push(value)
    turn ??= flush()
    return turn
  }
}
