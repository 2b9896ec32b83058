// What was said before a crash, held against what is there after it.
import { assert, describe, it } from "@effect/vitest"
import type { Durability } from "../../src/services/Options.ts"
import type { Event } from "./events.ts"
import type { Operation } from "./history.ts"
import { LostCommit, Timeline } from "./timeline.ts"

const begin = (id: number): Event => ({ type: "begin", id, session: id, level: "serializable" })
const submit = (id: number, operations: ReadonlyArray<Operation>, durability: Durability = "disk"): Event => ({
  type: "submit",
  id,
  operations,
  durability
})
const committed = (id: number, sequence?: number): Event => ({ type: "end", id, outcome: "committed", sequence })

const append: Operation = { type: "append", key: "x", element: 7 }
const read: Operation = { type: "read", key: "x", list: [7] }
const scan: Operation = { type: "scan", span: { from: "a", to: "z" }, found: [["x", [7]]] }

/** The database after these events, with nothing in it. */
const emptied = (events: ReadonlyArray<Event>, mayLose: ReadonlyArray<Durability>) =>
  new Timeline().end(events, { found: new Map(), survives: (durability) => !mayLose.includes(durability) })

const afterPowerCut = ["os", "buffered"] as const

describe("a timeline", () => {
  it.each([read, scan])("refuses a disk commit that was seen before it was acknowledged, and is gone (%o)", (look) => {
    for (const end of [[], [committed(2)], [{ type: "end", id: 2, outcome: "aborted" } as const]]) {
      const events = [begin(1), submit(1, [append]), begin(2), submit(2, [look]), ...end]
      assert.throws(() => emptied(events, afterPowerCut), LostCommit, "T1, disk: T2 saw it")
    }
  })

  it("takes it if nobody saw it, or only its own transaction did", () => {
    emptied([begin(1), submit(1, [append, read]), begin(2), submit(2, [{ ...read, list: [] }])], afterPowerCut)
  })

  it("takes it if it was promised less than what happened", () => {
    const events = [begin(1), submit(1, [append], "os"), begin(2), submit(2, [read])]
    emptied(events, afterPowerCut)
    assert.throws(() => emptied(events, ["buffered"]), LostCommit, "T1, os: T2 saw it")
  })

  it("refuses an acknowledged commit that is gone", () => {
    assert.throws(() => emptied([begin(1), submit(1, [append]), committed(1, 5)], afterPowerCut), LostCommit, "gone")
  })
})
