// Value files as maintenance sees them: what stats say, what `collectValues` takes back, what `verify` finds, what a
// checkpoint holds. What comes back by itself is in test/valueSpace.test.ts.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { copyOn, foundIn, openThere, target } from "./support/checkpointRun.ts"
import { directory, type Opened, smallOptions } from "./support/opened.ts"
import { range } from "./support/regressionKit.ts"
import { allKept, crashOf, type Image, reasonOf, simulate, textOf, using } from "./support/scenario.ts"

/** Values above 16 bytes go to files at a flush; memtables are flushed when a test says so. */
const options: OptionsInput = {
  ...smallOptions,
  arenaBytes: 256 * 1024,
  manifestBytesMax: 64 * 1024,
  valueThreshold: 16,
  valueFileBytesMax: 4096
}

const valueOf = (key: string, round: number): string => `${key} ${round} `.padEnd(100, ".")

const keys = range(10, 39).map(String)

const setAll = (opened: Opened, round: number, some: ReadonlyArray<string> = keys) =>
  Effect.forEach(some, (key) => opened.database.set(key, valueOf(key, round)), { discard: true })

/** Files of which a third is garbage, as far as is known after a compaction. */
const withGarbage = (opened: Opened) =>
  Effect.gen(function* () {
    yield* setAll(opened, 0)
    yield* opened.maintenance.flush
    yield* setAll(
      opened,
      1,
      keys.filter((key) => Number(key) % 3 === 0)
    )
    yield* opened.maintenance.compact()
  })

const filesOn = (device: SimDisk.SimDisk) =>
  device.files.list(directory).filter(({ name }) => name.startsWith("value-"))

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((all, one) => all + one, 0)

describe("stats", () => {
  it("of value files are those of the files, and of what is live in them", () => {
    const device = SimDisk.make()
    simulate(
      using(
        device,
        (opened) =>
          Effect.gen(function* () {
            yield* withGarbage(opened)
            const { amplification, counters, valueFiles } = yield* opened.maintenance.stats
            const files = filesOn(device)
            assert.deepStrictEqual(valueFiles, {
              files: files.length,
              bytes: sum(files.map(({ bytes }) => bytes)),
              values: 40,
              liveValues: 30,
              liveBytes: 3000,
              garbageBytes: 1000
            })
            assert.strictEqual(counters.valueBytesWritten, valueFiles.bytes)
            assert.strictEqual(counters.flushedValueBytes, valueFiles.bytes)
            assert.isAbove(amplification.space, 1.2)
            assert.isAbove(amplification.write, 2)
            const written = counters.logBytesWritten + counters.manifestBytesWritten + counters.tableBytesWritten
            assert.strictEqual(amplification.write, (written + counters.valueBytesWritten) / counters.userBytes)
          }),
        options
      )
    )
  })

  it("know the files of commits that are in memtables alone", () => {
    const device = SimDisk.make()
    simulate(
      using(
        device,
        (opened) =>
          Effect.gen(function* () {
            yield* setAll(opened, 0, ["10", "11"])
            const { counters, valueFiles } = yield* opened.maintenance.stats
            assert.deepInclude(valueFiles, { files: 2, values: 2, liveValues: 2, liveBytes: 200, garbageBytes: 0 })
            assert.strictEqual(valueFiles.bytes, sum(filesOn(device).map(({ bytes }) => bytes)))
            assert.strictEqual(counters.valueBytesWritten, valueFiles.bytes)
            assert.deepInclude(yield* opened.maintenance.verify, { values: 2, damage: [] })
            yield* opened.maintenance.flush
            assert.deepStrictEqual((yield* opened.maintenance.stats).valueFiles, valueFiles)
          }),
        { ...options, directValueBytesMin: 64 }
      )
    )
  })

  it("know the same after the next open", () => {
    const device = SimDisk.make()
    const stats = simulate(
      using(
        device,
        (opened) =>
          Effect.andThen(
            withGarbage(opened),
            Effect.map(opened.maintenance.stats, ({ valueFiles }) => valueFiles)
          ),
        options
      )
    )
    const again = simulate(using(device, ({ maintenance }) => maintenance.stats, { ...options, readOnly: true }))
    assert.deepStrictEqual(again.valueFiles, stats)
  })
})

describe("collecting values by hand", () => {
  it("leaves no garbage, and says what came back", () => {
    const device = SimDisk.make()
    simulate(
      using(
        device,
        (opened) =>
          Effect.gen(function* () {
            yield* withGarbage(opened)
            const before = (yield* opened.maintenance.stats).valueFiles
            const contents = yield* foundIn(opened)
            const { bytes, files } = yield* opened.maintenance.collectValues()
            const { counters, valueFiles } = yield* opened.maintenance.stats
            assert.strictEqual(valueFiles.garbageBytes, 0)
            assert.strictEqual(valueFiles.values, 30)
            assert.strictEqual(before.bytes - valueFiles.bytes, bytes)
            assert.isAbove(files, 0)
            assert.isAbove(bytes, 1000)
            assert.deepInclude(counters, { reclaimedBytes: bytes, collectionFailures: 0 })
            assert.isAbove(counters.collectedBytes, 0)
            yield* Effect.sleep("1 second")
            assert.strictEqual(sum(filesOn(device).map((file) => file.bytes)), valueFiles.bytes)
            assert.deepStrictEqual(yield* foundIn(opened), contents)
            assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
            assert.deepStrictEqual(yield* opened.maintenance.collectValues({ garbageRatioMin: 0 }), {
              files: 0,
              bytes: 0
            })
          }),
        options
      )
    )
    const later = simulate(using(device, foundIn, options))
    assert.strictEqual(later.entries.length, keys.length)
  })

  it("leaves files with less garbage than asked for", () =>
    simulate(
      using(
        SimDisk.make(),
        (opened) =>
          Effect.gen(function* () {
            yield* withGarbage(opened)
            assert.deepStrictEqual(yield* opened.maintenance.collectValues({ garbageRatioMin: 0.5 }), {
              files: 0,
              bytes: 0
            })
          }),
        options
      )
    ))

  it("takes nothing that a cursor sees, and all of it when that has ended", () =>
    simulate(
      using(
        SimDisk.make(),
        (opened) =>
          Effect.gen(function* () {
            const { maintenance } = opened
            const collected = Effect.andThen(
              Effect.andThen(maintenance.compact(), maintenance.collectValues()),
              Effect.map(maintenance.stats, ({ valueFiles }) => valueFiles.values)
            )
            yield* setAll(opened, 0)
            yield* maintenance.flush
            const reading = Effect.gen(function* () {
              const cursor = yield* opened.database.cursor()
              yield* cursor.next
              yield* setAll(opened, 1)
              assert.strictEqual(yield* collected, 60)
              yield* cursor.next
              assert.strictEqual(textOf(cursor.value), valueOf("11", 0))
            })
            yield* Effect.scoped(reading)
            assert.strictEqual(yield* collected, 30)
          }),
        options
      )
    ))

  it("refuses shares that are none, databases that are only read, and those that are closed", () => {
    const device = SimDisk.make()
    const tagOf = (opened: Opened, garbageRatioMin: number) =>
      Effect.map(reasonOf(opened.maintenance.collectValues({ garbageRatioMin })), ({ _tag }) => _tag)
    const closed = simulate(
      using(device, (opened) =>
        Effect.gen(function* () {
          for (const ratio of [-0.1, 1.1, Number.NaN]) assert.strictEqual(yield* tagOf(opened, ratio), "Invalid")
          return opened
        })
      )
    )
    assert.strictEqual(simulate(tagOf(closed, 0)), "Closed")
    const reading = using(device, (opened) => tagOf(opened, 0), { ...smallOptions, readOnly: true })
    assert.strictEqual(simulate(reading), "ReadOnly")
  })
})

describe("garbage that a process left", () => {
  it("is collected by the next one, which writes nothing, when that is at rest", () => {
    const device = SimDisk.make()
    simulate(using(device, withGarbage, { ...options, valueFileBytesMax: 64 * 1024 }))
    const stats = simulate(
      using(
        device,
        ({ maintenance }) =>
          Effect.gen(function* () {
            assert.strictEqual((yield* maintenance.stats).valueFiles.garbageBytes, 1000)
            yield* Effect.sleep("10 seconds")
            return yield* maintenance.stats
          }),
        options
      )
    )
    assert.deepInclude(stats.valueFiles, { values: 30, garbageBytes: 0 })
    assert.strictEqual(stats.counters.commits, 0)
  })
})

/** Of a database whose first value file has a bit flipped in the middle. */
const damaged = (image: Image): { readonly image: Image; readonly path: string; readonly at: number } => {
  const path = [...image.keys()].find((name) => name.includes("/value-"))!
  const bytes = image.get(path)!.slice()
  const at = Math.floor(bytes.length / 3)
  bytes[at]! ^= 0x10
  return { image: new Map(image).set(path, bytes), path, at }
}

describe("verify", () => {
  it("reads every value file, and counts their values", () => {
    const device = SimDisk.make()
    simulate(
      using(
        device,
        (opened) =>
          Effect.gen(function* () {
            yield* withGarbage(opened)
            const { damage, values } = yield* opened.maintenance.verify
            assert.deepStrictEqual(damage, [])
            assert.strictEqual(values, 40)
          }),
        options
      )
    )
  })

  it("finds a damaged value once, in the file and at its place, and others are still read", () => {
    const device = SimDisk.make()
    simulate(using(device, withGarbage, options))
    const { at, image, path } = damaged(crashOf(device, allKept))
    simulate(
      Effect.gen(function* () {
        const opened = yield* openThere(MemoryDisk.fromImage(image).layer, directory, options)
        const { damage } = yield* opened.maintenance.verify
        assert.strictEqual(damage.length, 1)
        assert.strictEqual(damage[0]!.file, path)
        assert.isAtMost(Math.abs(damage[0]!.offset - at), 200)
        const read = yield* Effect.forEach(keys, (key) => Effect.exit(opened.database.get(key)))
        assert.isAtMost(read.filter(Exit.isFailure).length, 1)
      })
    )
  })

  it("finds a table that names values of another file", () => {
    const device = SimDisk.make()
    simulate(using(device, withGarbage, options))
    const image = crashOf(device, allKept)
    const paths = [...image.keys()].filter((name) => name.includes("/value-"))
    const swapped = new Map(image).set(paths[0]!, image.get(paths[1]!)!)
    const reason = simulate(reasonOf(openThere(MemoryDisk.fromImage(swapped).layer, directory, options)))
    assert.strictEqual(reason._tag, "Corruption")
  })
})

describe("a checkpoint", () => {
  it("has the value files that its tables name, and they stay where the source collects them", () => {
    const device = SimDisk.make()
    const { before, made } = simulate(
      using(
        device,
        (opened) =>
          Effect.gen(function* () {
            yield* withGarbage(opened)
            const before = yield* foundIn(opened)
            const made = yield* opened.maintenance.checkpoint(target)
            yield* setAll(opened, 2)
            yield* opened.maintenance.compact()
            yield* opened.maintenance.collectValues({ garbageRatioMin: 0 })
            return { before, made }
          }),
        options
      )
    )
    assert.isAbove(made.valueFiles, 0)
    assert.deepStrictEqual(copyOn(crashOf(device, allKept)), before)
  })
})
