// The database of test/fixtures/encrypted: a few entries of every kind in a file of every kind. Keys, ids and the order
// of everything come of seeds, so the same bytes come of it as long as no format changes.
import { Effect, Layer } from "effect"
import * as NoCompression from "../../src/layers/NoCompression.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import { type OpenOptions, smallOptions, visibleImage } from "./opened.ts"
import { type Image, simulate, using } from "./scenario.ts"
import { SimKeys } from "./simKeys.ts"

/** The master key of the fixture. */
export const goldenMasterHex = "2a".repeat(32)
export const goldenMaster = 0x2a

export const goldenOptions: OpenOptions = {
  ...smallOptions,
  manifestBytesMax: 16 * 1024,
  valueThreshold: 16,
  directValueBytesMin: 64,
  flushOnCloseBytesMin: 1024 * 1024
}

/** In a file of its own before its commit. */
export const goldenDirect = "direct".padEnd(70, ".")

export const goldenImage = (): Image => {
  const device = SimDisk.make()
  const encryption = new SimKeys(2026).layer(goldenMaster).pipe(Layer.provide(NoCompression.layer))
  const script = using(
    device,
    ({ database, maintenance }) =>
      Effect.gen(function* () {
        yield* database.set("apple", "small")
        yield* database.set("banana", "a value that is longer than sixteen bytes")
        yield* database.set("cherry", "with a time", { expiresAt: 4_000_000_000_000, userMeta: 7 })
        yield* database.set("date", "of a range that is removed")
        yield* maintenance.flush
        yield* database.removeRange({ from: "d", to: "e" })
        yield* database.remove("apple")
        yield* maintenance.flush
        yield* database.write([
          { type: "set", key: "elder", value: "in the log" },
          { type: "remove", key: "nothing" }
        ])
        yield* database.set("fig", "long, and in the log until it is flushed")
        yield* database.set("grape", goldenDirect)
      }),
    { ...goldenOptions, encryption }
  )
  simulate(script.pipe(Effect.provide(NoCompression.layer)), { seed: 2026, choices: [], yieldProbability: 0 })
  return visibleImage(device)
}
