// Scans, snapshots and conflicts, on the data that was imported.
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { crc32 } from "../../internal/format/checksum.ts"
import { compareBytes } from "../../internal/format/compare.ts"
import { Database, type LazyEntry, type Reader } from "../../services/Database.ts"
import { bytesText, entriesText } from "../table.ts"
import type { Checks } from "./checks.ts"
import { isLong, type Source } from "./source.ts"

// Of a package that is always there: a part to scan once, and a smaller one to scan again and again.
const prefix = "effect/src/"
const smallPrefix = "effect/src/internal/"

/** What a scan saw: enough to tell two scans apart. */
interface Seen {
  readonly entries: number
  readonly bytes: number
  readonly checksum: number
  readonly isOrdered: boolean
}

/** The value added to what was seen, a long one piece by piece. */
const seeValue = Effect.fnUntraced(function* (reader: Reader, entry: LazyEntry, seen: Seen) {
  const add = (seen: Seen, piece: Uint8Array): Seen => ({
    ...seen,
    bytes: seen.bytes + piece.length,
    checksum: crc32(piece, seen.checksum)
  })
  if (!isLong({ bytes: entry.valueBytes })) return add(seen, yield* entry.value)
  const pieces = yield* reader.getStream(entry.key)
  return yield* Stream.runFold(pieces ?? Stream.empty, () => seen, add)
}, Effect.scoped)

const see = Effect.fnUntraced(function* (reader: Reader, prefix: string) {
  let last: Uint8Array | undefined
  const start: Seen = { entries: 0, bytes: 0, checksum: 0, isOrdered: true }
  return yield* Stream.runFoldEffect(
    reader.scanLazy({ prefix }),
    () => start,
    (seen, entry) => {
      const { key } = entry
      const isOrdered = last === undefined || compareBytes(last, 0, last.length, key, 0, key.length) < 0
      // The copy: a scan's keys share the buffer of their chunk, which one kept key would hold.
      last = key.slice()
      return seeValue(reader, entry, {
        entries: seen.entries + 1,
        bytes: seen.bytes,
        checksum: crc32(key, seen.checksum),
        isOrdered: seen.isOrdered && isOrdered
      })
    }
  )
})

const same = (a: Seen, b: Seen): boolean => a.entries === b.entries && a.bytes === b.bytes && a.checksum === b.checksum

export const checkScan = Effect.fnUntraced(function* (source: Source, checks: Checks) {
  const seen = yield* see(yield* Database, prefix)
  const expected = source.files.filter(({ path }) => path.startsWith(prefix))
  const bytes = expected.reduce((sum, file) => sum + file.bytes, 0)
  yield* checks.expect(
    `a scan of ${prefix} sees just its files, in order`,
    seen.isOrdered && seen.entries === expected.length && seen.bytes === bytes,
    `${entriesText(seen.entries)}, ${bytesText(seen.bytes)}`
  )
})

const rounds = 20

/** Overwrites, removes and adds under the prefix, so that every scan of the present differs from the last. */
const disturb = Effect.fnUntraced(function* (source: Source, round: number) {
  const database = yield* Database
  const files = source.files.filter(({ path }) => path.startsWith(smallPrefix))
  yield* database.write(
    [
      { type: "set", key: files[round]!.path, value: `overwritten in round ${round}` },
      { type: "remove", key: files[files.length - 1 - round]!.path },
      { type: "set", key: `${smallPrefix}zzz-${round}`, value: "added" }
    ],
    { durability: "os" }
  )
})

export const checkSnapshot = Effect.fnUntraced(function* (source: Source, checks: Checks) {
  const database = yield* Database
  const snapshot = yield* database.snapshot
  const before = yield* see(snapshot, smallPrefix)
  const writers = yield* Effect.forkChild(
    Effect.forEach(Array.from({ length: rounds }).keys(), (round) => Effect.delay(disturb(source, round), 1), {
      concurrency: 4,
      discard: true
    })
  )
  let looks = 0
  let moved = 0
  // At least one look after the last write.
  for (let isLast = false; !isLast;) {
    isLast = writers.pollUnsafe() !== undefined
    looks += 1
    if (!same(before, yield* see(snapshot, smallPrefix))) moved += 1
    yield* Effect.yieldNow
  }
  yield* Fiber.join(writers)
  const after = yield* see(database, smallPrefix)
  yield* checks.expect(
    "a snapshot stays still while others write",
    moved === 0 && !same(before, after),
    `${rounds} commits, ${looks} scans, ${moved} of them moved; the database itself did`
  )
}, Effect.scoped)

const counterKey = "demo/counter"
const decoder = new TextDecoder()
const increments = 4

/** Two transactions that read and write one key: the second to commit fails. Run by `transaction`, it runs again. */
export const checkConflict = Effect.fnUntraced(function* (checks: Checks) {
  const database = yield* Database
  yield* database.set(counterKey, "0")
  const one = yield* database.begin()
  const two = yield* database.begin()
  for (const transaction of [one, two]) {
    yield* transaction.get(counterKey)
    yield* transaction.set(counterKey, "1")
  }
  yield* one.commit
  const second = yield* Effect.result(two.commit)
  const reason = Result.isFailure(second) ? second.failure.reason._tag : "a commit"
  yield* checks.expect("of two transactions on one key the second fails", reason === "Conflict", reason)
  const increment = database.transaction((transaction) =>
    Effect.flatMap(transaction.get(counterKey), (value) =>
      transaction.set(counterKey, String(Number(decoder.decode(value)) + 1))
    )
  )
  yield* Effect.all(
    Array.from({ length: increments }, () => increment),
    { concurrency: "unbounded", discard: true }
  )
  const total = decoder.decode(yield* database.get(counterKey))
  yield* checks.expect(
    "retried transactions lose no update",
    total === String(increments + 1),
    `${increments} increments of 1 at once make ${total}`
  )
}, Effect.scoped)
