// What becomes of the commits that wait, and of those being written, when the disk is full and a little room was made.
import { assert, describe, it } from "@effect/vitest"
import { CommitQueue, type CommitRequest, groupChunks } from "../../../src/internal/engine/commitQueue.ts"
import { removeFields, setFields, SingleRequest } from "../../../src/internal/engine/requests.ts"
import { LiveView } from "../../../src/internal/engine/view.ts"
import { DiskFull, fail } from "../../../src/services/DatabaseError.ts"
import type { MemtableService } from "../../../src/services/Memtable.ts"
import { defaults } from "../../../src/services/Options.ts"
import type { OracleService } from "../../../src/services/Oracle.ts"

const limits = { options: defaults, nowMillis: () => 0 }
const set = (key: string) => new SingleRequest(setFields(limits, key, { value: "value", options: undefined }))
const remove = (key: string) => new SingleRequest(removeFields(key))
const full = fail(new DiskFull({ message: "full", file: "log" }))

const queueOver = () => {
  const arena = { bytes: new Uint8Array(4096), used: 0, capacity: 4096, reserve: (_: number) => 0 }
  arena.reserve = (bytes) => {
    arena.used += bytes
    return arena.used - bytes
  }
  const memtable = { arena, put: () => {} }
  let sequence = 0
  const published: Array<number> = []
  const oracle = {
    assign: () => (sequence += 1),
    assigned: () => sequence,
    commitMillis: () => 1,
    commitMillisMax: () => 1,
    learning: () => false,
    learn: () => {},
    settle: () => {},
    publish: (visible: number) => void published.push(visible)
  }
  const pool = { releaseUnsafe: () => {} } as unknown as MemtableService
  const live = new LiveView(pool, memtable as unknown as ConstructorParameters<typeof LiveView>[1])
  const queue = new CommitQueue(live, oracle as unknown as OracleService)
  const enter = (request: CommitRequest) => queue.enter(request, "disk")
  return { queue, enter, live, published }
}

describe("a full disk with a little room", () => {
  it("keeps what removes, in its order, and fails the rest, in the group and behind it", () => {
    const { enter, live, published, queue } = queueOver()
    const inGroup = [remove("a"), set("b"), remove("c")].map(enter)
    const group = queue.take()!
    const behind = [set("d"), remove("e")].map(enter)
    queue.keepRemovals(group, full)
    assert.deepStrictEqual(
      [...inGroup, ...behind].map(({ state }) => state),
      ["waiting", "failed", "waiting", "failed", "waiting"]
    )
    assert.strictEqual(inGroup[1]!.error, full)
    assert.strictEqual(queue.unresolvedCount, 3)
    assert.strictEqual(live.active.unresolved, 3)
    const again = queue.take()!
    assert.deepStrictEqual(again.tickets, [inGroup[0], inGroup[2], behind[1]])
    assert.lengthOf(groupChunks(again), 3, "what failed is not written")
    queue.synced(again)
    assert.deepStrictEqual(published, [1, 3, 5])
    assert.strictEqual(queue.unresolvedCount, 0)
  })

  it("leaves the group that is being written alone when somebody else makes the room", () => {
    const { enter, queue } = queueOver()
    const written = enter(set("a"))
    const group = queue.take()!
    const waiting = [set("b"), remove("c")].map(enter)
    queue.keepRemovals(undefined, full)
    assert.deepStrictEqual(
      [written, ...waiting].map(({ state }) => state),
      ["writing", "failed", "waiting"]
    )
    queue.synced(group)
    assert.strictEqual(written.state, "visible")
  })

  it("offers the log again what is visible, and a sync", () => {
    const { enter, queue } = queueOver()
    const visible = queue.enter(set("a"), "buffered")
    const barrier = queue.enterBarrier()
    const last = enter(set("b"))
    const group = queue.take()!
    queue.keepRemovals(group, full)
    assert.deepStrictEqual(
      [visible, barrier, last].map(({ state }) => state),
      ["visible", "waiting", "failed"]
    )
    assert.strictEqual(queue.visibleBytes, visible.bytes)
    assert.deepStrictEqual(queue.take()!.tickets, [visible, barrier])
  })
})
