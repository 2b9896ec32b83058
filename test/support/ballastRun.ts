// A database with a ballast on a disk that is then filled, by itself or by somebody else.
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type * as SimDisk from "../../src/layers/SimDisk.ts"
import * as NoCompression from "../../src/layers/NoCompression.ts"
import { directory, type Opened, type OpenOptions } from "./opened.ts"
import { reasonOf } from "./scenario.ts"

/**
 * Tables of some MiB have a ballast of some hundred KiB, a few times what a flush takes. All values are in tables, and
 * take there what they are long.
 */
export const ballastOptions: OpenOptions = {
  compression: NoCompression.layer,
  arenaBytes: 64 * 1024,
  valueBytesMax: 4096,
  valueThreshold: 4096,
  blockBytes: 1024,
  cacheBytes: 0,
  flushOnCloseBytesMin: 0,
  baseLevelBytes: 512 * 1024,
  tableBytesMax: 128 * 1024,
  sequencesReserved: 1024,
  ballastLiveBytesMin: 1024 * 1024
}

/** The same of values of 2 KB in value files, and of longer ones that go there before their commit. */
export const valueBallastOptions: OpenOptions = {
  ...ballastOptions,
  valueBytesMax: 4 * 1024 * 1024,
  valueThreshold: 1024,
  directValueBytesMin: 16 * 1024,
  valueFileBytesMax: 128 * 1024
}

export const keyOf = (index: number): string => `key${String(index).padStart(5, "0")}`
/** As much as 2 KiB take, and nothing that is the same twice. */
export const valueOf = (index: number): string => `${index} `.repeat(2048).slice(0, 2000)

export const ballastsOn = (device: SimDisk.SimDisk): ReadonlyArray<number> =>
  device.files.list(directory).flatMap(({ bytes, name }) => (name.startsWith("ballast-") ? [bytes] : []))

/** So many entries in tables and value files, and the ballast for them. */
export const filled = Effect.fnUntraced(function* (
  { database, maintenance }: Opened,
  count: number,
  value: (index: number) => string = valueOf
) {
  for (let from = 0; from < count; from += 16) {
    const keys = Array.from({ length: Math.min(16, count - from) }, (_, index) => from + index)
    yield* database.write(
      keys.map((index) => ({ type: "set", key: keyOf(index), value: value(index) })),
      { durability: "os" }
    )
  }
  yield* maintenance.compact()
  yield* Effect.sleep("3 seconds")
})

/** Not a byte is free. */
export const fill = (device: SimDisk.SimDisk): void => device.setCapacity(device.files.bytes)

export const refusesSets = Effect.fnUntraced(function* ({ database }: Opened, key: string) {
  const reason = yield* reasonOf(database.set(key, "refused"))
  assert.strictEqual(reason._tag, "DiskFull")
  assert.isUndefined(yield* database.get(key))
  return reason.message
})

/** When a set succeeds that is tried every 100 ms. */
export const millisUntilSet = Effect.fnUntraced(function* ({ database }: Opened, key: string) {
  for (let millis = 0; millis <= 60_000; millis += 100) {
    const result = yield* Effect.result(database.set(key, "accepted"))
    if (result._tag === "Success") return millis
    assert.strictEqual(result.failure.reason._tag, "DiskFull")
    yield* Effect.sleep("100 millis")
  }
  throw new Error("writing did not go on by itself")
})
