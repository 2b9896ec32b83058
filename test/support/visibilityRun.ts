// Readers of every kind that read while writers write, and every power cut after what they read (promise 3: nobody
// reads of a `disk` commit what a power cut can take back). Whatever is left by a cut is opened: all that was seen
// before it has to be there.
import { assert } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { type DatabaseService, NotInMemory, type Reader } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { hashOf } from "./imageHash.ts"
import { contentsAfter, crashOf, cuttingDisk, distinct, nothingKept, simulate, textOf, using } from "./scenario.ts"

const writes = 12
const reads = 20
/** Each has a writer of its own, who counts up; the last one's commits may be lost. */
const keys = ["a", "b", "c"]
const buffered = "lost"

type Counts = Readonly<Record<string, number>>
const ofText = (value: Uint8Array | undefined): number => Number(textOf(value) ?? 0)

const byGet = (reader: Reader): Effect.Effect<Counts, DatabaseError> =>
  Effect.map(
    Effect.forEach(keys, (key) => Effect.map(reader.get(key), (value) => [key, ofText(value)] as const)),
    Object.fromEntries<number>
  )

const byScan = (reader: Reader): Effect.Effect<Counts, DatabaseError> =>
  Effect.map(Stream.runCollect(reader.scan()), (entries) =>
    Object.fromEntries(Array.from(entries, ({ key, value }) => [textOf(key)!, ofText(value)]))
  )

const readers: Readonly<Record<string, (database: DatabaseService) => Effect.Effect<Counts, DatabaseError>>> = {
  get: byGet,
  scan: byScan,
  getUnsafe: (database) =>
    Effect.sync(() => {
      const values = keys.map((key) => [key, database.getUnsafe(key)] as const)
      return Object.fromEntries(values.map(([key, value]) => [key, value === NotInMemory ? 0 : ofText(value)]))
    }),
  snapshot: (database) => Effect.scoped(Effect.flatMap(database.snapshot, byScan)),
  transaction: (database) => database.transaction(byGet)
}

/**
 * A run. Every image that it left after something was seen is opened, and `onImage` told of it: by its hash, with what
 * has to be in it.
 */
export const visibilityRun = (seed: number, onImage: (hash: string) => void): void => {
  const { cuts, device, state } = cuttingDisk()
  /** What had been seen, each time that it grew; `promised` counts them. */
  const seen: Array<Counts> = [{}]
  const see = (counts: Counts) => {
    const before = seen.at(-1)!
    if (!keys.some((key) => (counts[key] ?? 0) > (before[key] ?? 0))) return
    seen.push(Object.fromEntries(keys.map((key) => [key, Math.max(before[key] ?? 0, counts[key] ?? 0)])))
    state.promised = seen.length - 1
    // At once: after the next call of the device it may be durable.
    const image = crashOf(device, nothingKept)
    cuts.push({ image, where: "what was just read", operation: "", path: "", promised: state.promised })
  }
  const body = Effect.fnUntraced(function* ({ database }: { readonly database: DatabaseService }) {
    const writing = [...keys, buffered].map((key) =>
      Effect.forEach(
        Array.from({ length: writes }, (_, index) => index + 1),
        (count) => database.set(key, `${count}`, { durability: key === buffered ? "buffered" : "disk" })
      )
    )
    const reading = Object.values(readers).map((read) =>
      Effect.forEach(Array.from({ length: reads }), () =>
        Effect.andThen(Effect.map(read(database), see), Effect.yieldNow)
      )
    )
    yield* Effect.all<ReadonlyArray<Effect.Effect<unknown, DatabaseError>>, { concurrency: "unbounded" }>(
      [...writing, ...reading],
      { concurrency: "unbounded" }
    )
  })
  simulate(using(device, body), { seed, yieldProbability: 0.2 })
  assert.isAbove(seen.length, 10)
  const images = distinct(cuts)
  for (const { image, promised, where } of images) {
    if (promised === 0) continue
    const found = contentsAfter(image)
    for (const key of keys) {
      const least = seen[promised]![key]!
      assert.isAtLeast(Number(found[key] ?? 0), least, `seed ${seed}: what was read of ${key} is lost: ${where}`)
    }
    onImage(hashOf(image, JSON.stringify(seen[promised])))
  }
}
