// Checkpoints: what they are, where they are refused, and what they hold while writers go on. What is left of one that
// is stopped is in test/checkpointCrash.test.ts.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer } from "effect"
import { decodeFileHeader, encodeFileHeader, fileHeaderBytes, FileKind } from "../src/internal/format/fileHeader.ts"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { Disk } from "../src/services/Disk.ts"
import type { Checkpoint } from "../src/services/Maintenance.ts"
import {
  copyOn,
  foundIn,
  namesInCopy,
  openThere,
  prepare,
  sourceOn,
  target,
  withCheckpoint
} from "./support/checkpointRun.ts"
import { Model, type ModelWrite } from "./support/model.ts"
import { directory, open, type Opened, smallOptions } from "./support/opened.ts"
import { Dice, randomWrites, toOperation } from "./support/randomPlan.ts"
import { range } from "./support/regressionKit.ts"
import { allKept, crashOf, type Image, joined, reasonOf, simulate, using } from "./support/scenario.ts"

const headersOf = (image: Image, kind: FileKind, ending: RegExp) =>
  [...image].filter(([path]) => ending.test(path)).map(([, bytes]) => decodeFileHeader(bytes, kind))

describe("a checkpoint", () => {
  it("is a sound database of its own that equals the moment, and the source goes on", () => {
    const device = SimDisk.make()
    const { before, made } = simulate(
      using(device, (opened) =>
        Effect.gen(function* () {
          yield* prepare(opened)
          const before = yield* foundIn(opened)
          const made = yield* opened.maintenance.checkpoint(target)
          assert.deepStrictEqual(yield* foundIn(opened), before)
          yield* opened.database.set("later", "1")
          assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
          return { before, made }
        })
      )
    )
    const image = crashOf(device, allKept)
    assert.deepStrictEqual(copyOn(image), before)
    const { bytes } = made
    assert.deepStrictEqual(made, { directory: target, sequence: before.sequence, tables: 3, valueFiles: 0, bytes })
    assert.strictEqual(sourceOn(image).entries.length, before.entries.length + 1)
  })

  it("needs nothing of the source: neither its files nor its name", () => {
    const { before, device } = withCheckpoint()
    const image = new Map([...crashOf(device, allKept)].filter(([path]) => !path.startsWith(directory)))
    assert.deepStrictEqual(copyOn(image), before)
  })

  it("keeps what the source removes later", () => {
    const { before, device } = withCheckpoint()
    for (const { name } of device.files.list(directory)) device.files.remove(`${directory}/${name}`)
    assert.deepStrictEqual(copyOn(crashOf(device, allKept)), before)
  })

  it("has the source's database id, an incarnation of its own, and no log", () => {
    const { device } = withCheckpoint()
    const image = crashOf(device, allKept)
    const [source] = headersOf(image, FileKind.manifest, /^\/db\/manifest-/)
    const [copy] = headersOf(image, FileKind.manifest, /^\/copies\/one\/manifest-/)
    assert.deepStrictEqual(copy!.databaseId, source!.databaseId)
    assert.notDeepEqual(copy!.incarnation, source!.incarnation)
    assert.isFalse(namesInCopy(device).some((name) => name.startsWith("log-")))
  })

  it("refuses segments of a log: those of the source, and any of its own past", () => {
    const { device } = withCheckpoint()
    const image = crashOf(device, allKept)
    const path = [...image.keys()].find((path) => path.startsWith("/db/log-"))!
    const log = image.get(path)!
    const [copy] = headersOf(image, FileKind.manifest, /^\/copies\/one\/manifest-/)
    const { epoch, incarnation } = copy!
    const header = encodeFileHeader({ ...decodeFileHeader(log, FileKind.log), epoch, incarnation })
    for (const bytes of [log, joined(header, log.subarray(fileHeaderBytes))]) {
      const mixed = new Map(image).set(path.replace(directory, target), bytes)
      const reason = simulate(reasonOf(openThere(MemoryDisk.fromImage(mixed).layer, target)))
      assert.strictEqual(reason._tag, "Corruption")
    }
  })

  it("of an empty database is an empty database", () => {
    const device = SimDisk.make()
    simulate(using(device, ({ maintenance }) => maintenance.checkpoint(target)))
    assert.deepStrictEqual(copyOn(crashOf(device, allKept))?.entries, [])
  })

  it("of a checkpoint is one, also when that was not written to", () => {
    const { before, device } = withCheckpoint()
    simulate(
      Effect.gen(function* () {
        const copy = yield* openThere(device.layer, target)
        yield* copy.maintenance.checkpoint("/copies/two")
        const again = yield* openThere(device.layer, "/copies/two")
        assert.deepStrictEqual(yield* foundIn(again), before)
      })
    )
  })

  it("can be read without writing to it", () => {
    const { before, device } = withCheckpoint()
    const calls = device.log.length
    const reading = openThere(device.layer, target, { readOnly: true })
    assert.deepStrictEqual(simulate(Effect.flatMap(reading, foundIn)), before)
    const wrote = device.log.slice(calls).filter(({ operation }) => /create|remove|link|append|sync/.test(operation))
    assert.deepStrictEqual(wrote, [])
  })
})

describe("a checkpoint is refused", () => {
  const refusal = (device: SimDisk.SimDisk, at: string, options = {}) =>
    simulate(
      using(device, (opened) => Effect.map(reasonOf(opened.maintenance.checkpoint(at)), (reason) => reason), {
        ...smallOptions,
        ...options
      })
    )

  it("in a directory that is not empty, which stays as it is", () => {
    for (const name of ["other", "table-0000000000000001.sst", "current-0000000000000001.mark"]) {
      const device = SimDisk.make({ image: new Map([[`${target}/${name}`, Uint8Array.of(1)]]) })
      const reason = refusal(device, target)
      assert.strictEqual(reason._tag, "Invalid")
      assert.include(reason.message, name)
      assert.deepStrictEqual(namesInCopy(device), [name])
    }
  })

  it("in the source's own directory", () => {
    assert.strictEqual(refusal(SimDisk.make(), directory)._tag, "Invalid")
  })

  it("where a file is, or is in the way", () => {
    for (const path of [target, "/copies"]) {
      const device = SimDisk.make({ image: new Map([[path, Uint8Array.of(1)]]) })
      assert.strictEqual(refusal(device, target)._tag, "Invalid")
    }
  })

  it("where nothing may be written", () => {
    const device = SimDisk.make()
    device.addFault({ code: "EACCES", match: (call, path) => call === "makeDirectory" && path === target })
    const reason = refusal(device, target)
    assert.strictEqual(reason._tag, "Io")
    assert.include(reason.message, "choose another")
  })

  it("where somebody opens a database", () => {
    const device = SimDisk.make()
    const reason = simulate(
      Effect.gen(function* () {
        const opened = yield* open(device.layer, smallOptions)
        yield* device.disk.makeDirectory(target)
        yield* device.disk.lock(target)
        return yield* reasonOf(opened.maintenance.checkpoint(target))
      })
    )
    assert.strictEqual(reason._tag, "Locked")
  })

  it("of a database that takes no writes, or is closed", () => {
    const device = SimDisk.make()
    simulate(using(device, prepare))
    assert.strictEqual(refusal(device, target, { readOnly: true })._tag, "ReadOnly")
    const opened = simulate(open(device.layer, smallOptions))
    assert.strictEqual(simulate(reasonOf(opened.maintenance.checkpoint(target)))._tag, "Closed")
    assert.deepStrictEqual(namesInCopy(device), [])
  })

  it("with a table that has lost its end, and leaves nothing", () => {
    const device = SimDisk.make()
    const reason = simulate(
      using(device, (opened) =>
        Effect.gen(function* () {
          yield* prepare(opened)
          yield* opened.maintenance.flush
          const table = device.files.list(directory).find(({ name }) => name.startsWith("table-"))!
          const path = `${directory}/${table.name}`
          const short = device.files
            .file(path)
            .content.view(0, table.bytes - 1)
            .slice()
          device.files.remove(path)
          device.files.append(device.files.create(path), short)
          return yield* reasonOf(opened.maintenance.checkpoint(target))
        })
      )
    )
    assert.strictEqual(reason._tag, "Corruption")
    assert.deepStrictEqual(namesInCopy(device), [])
  })
})

interface Loaded {
  readonly device: SimDisk.SimDisk
  readonly model: Model
  readonly made: Checkpoint
  /** The last sequence that was acknowledged before the checkpoint began. */
  readonly acknowledged: number
}

const withoutExpiry = (write: ModelWrite): ModelWrite =>
  "removed" in write ? write : { key: write.key, value: write.value }

/** Writers of all durabilities go on while a checkpoint is made. */
const underLoad = (seed: number): Loaded => {
  const device = SimDisk.make()
  const dice = new Dice(seed)
  const model = new Model()
  const enough = 1 + dice.below(60)
  let acknowledged = 0
  const state = { checkpointing: true }
  const writer = ({ database }: Opened) =>
    Effect.gen(function* () {
      const own = new Dice(dice.below(1e9))
      for (let count = 0; state.checkpointing && count < 1000; count++) {
        const writes = randomWrites(own, { now: 0, longest: 200 }).map(withoutExpiry)
        const durability = own.pick(["disk", "os", "buffered"] as const)
        const { sequence } = yield* database.write(writes.map(toOperation), { durability })
        model.commit(sequence, writes)
        acknowledged = Math.max(acknowledged, sequence)
      }
    })
  const made = simulate(
    using(
      device,
      (opened) =>
        Effect.gen(function* () {
          const writers = yield* Effect.forkChild(
            Effect.all(
              range(1, 3).map(() => writer(opened)),
              { concurrency: "unbounded" }
            )
          )
          while (model.commits.length < enough) yield* Effect.yieldNow
          const before = acknowledged
          const made = yield* opened.maintenance.checkpoint(target)
          state.checkpointing = false
          yield* Fiber.join(writers)
          return { made, before }
        }),
      { ...smallOptions, arenaBytes: 4096, valueBytesMax: 400 }
    ),
    { seed }
  )
  return { device, model, made: made.made, acknowledged: made.before }
}

/** Every link takes so long. */
const slowLinks = (device: SimDisk.SimDisk) =>
  Layer.succeed(Disk, {
    ...device.disk,
    linkNew: (from, to) => Effect.andThen(Effect.sleep("10 seconds"), device.disk.linkNew(from, to))
  })

describe("a checkpoint under write load", () => {
  it("does not stop writers, however long it takes", () => {
    const device = SimDisk.make()
    const { made, model } = simulate(
      using({ layer: slowLinks(device) }, (opened) =>
        Effect.gen(function* () {
          yield* prepare(opened)
          const fiber = yield* Effect.forkChild(opened.maintenance.checkpoint(target), { startImmediately: true })
          yield* Effect.sleep("1 second")
          const model = yield* foundIn(opened)
          const since = yield* Clock.currentTimeMillis
          // Many times what the memtables hold together.
          for (const key of range(1, 200)) yield* opened.database.set(`later${key}`, "v".repeat(200))
          assert.isBelow((yield* Clock.currentTimeMillis) - since, 5000)
          assert.isUndefined(fiber.pollUnsafe(), "it goes on")
          return { made: yield* Fiber.join(fiber), model }
        })
      )
    )
    assert.strictEqual(made.sequence, model.sequence)
    assert.deepStrictEqual(copyOn(crashOf(device, allKept)), model)
  })

  it("holds exactly the commits up to its sequence, with all that was acknowledged before the call", () => {
    let later = 0
    for (const seed of range(1, 40)) {
      const { acknowledged, device, made, model } = underLoad(seed)
      const found = copyOn(crashOf(device, allKept))
      assert.deepStrictEqual(found, { sequence: made.sequence, entries: model.at(made.sequence, 0) }, `seed ${seed}`)
      assert.isAtLeast(made.sequence, acknowledged, `seed ${seed}`)
      if (model.lastSequence > made.sequence) later += 1
    }
    assert.isAbove(later, 20, "writers went on")
  })
})
