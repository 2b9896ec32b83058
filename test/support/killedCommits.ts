// The commits of writers that are killed. What a commit writes follows from its id and from when it was made, which its
// marker says, so whoever finds the markers knows everything that has to be there: by the order of their sequences, to
// the last byte (`killedState.ts`).
//
//   commit/<id>           when it was made, as text; never overwritten, never removed
//   data/<id>/<index>     1 to 4 of them, likewise
//   shared/00 to 19       overwritten, removed one by one and by ranges; some expire soon, or in a day
//
// Values are short, of lengths that go to value files when they are flushed, and of some that go there before the
// commit.
import type { Operation } from "../../src/services/Database.ts"
import { Dice } from "./randomPlan.ts"

const lengths = [10, 100, 100, 600, 3000, 9000]
const sharedKeys = 20
const lifetimesMillis = [1, 20, 86_400_000]

const encoder = new TextEncoder()

/** FNV-1a. */
const seedOf = (id: string): number => {
  let hash = 0x811c9dc5
  for (const byte of encoder.encode(id)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

const sharedKey = (index: number): string => `shared/${String(index).padStart(2, "0")}`

const shared = (dice: Dice, value: string, atMillis: number): Operation => {
  const turn = dice.below(10)
  const index = dice.below(sharedKeys)
  const key = sharedKey(index)
  if (turn < 3) return { type: "remove", key }
  if (turn < 4) return { type: "removeRange", from: key, to: sharedKey(index + 1 + dice.below(4)) }
  if (turn < 8) return { type: "set", key, value }
  return { type: "set", key, value, expiresAt: atMillis + dice.pick(lifetimesMillis) }
}

export const operationsOf = (id: string, atMillis: number): ReadonlyArray<Operation> => {
  const dice = new Dice(seedOf(id))
  const length = dice.chance(2) ? 300_000 : dice.pick(lengths)
  const value = (name: string, most = length) => `${id}/${name}/`.padEnd(Math.min(length, most), "x")
  const operations: Array<Operation> = [{ type: "set", key: `commit/${id}`, value: `${atMillis}` }]
  for (let index = dice.below(4); index >= 0; index--) {
    operations.push({
      type: "set",
      key: `data/${id}/${index}`,
      value: value(`data ${index}`, index === 0 ? length : 9000)
    })
  }
  for (let index = 1 + dice.below(3); index > 0; index--) {
    operations.push(shared(dice, value(`shared ${index}`, 9000), atMillis))
  }
  return operations
}

/** What is streamed under `stream/<id>`, in pieces. */
export const piecesOf = (id: string): ReadonlyArray<Uint8Array> => {
  const piece = encoder.encode(`${id}/`.padEnd(4000, "x"))
  return Array.from({ length: 1 + (seedOf(id) % 6) }, () => piece.slice())
}
