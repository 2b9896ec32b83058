// Random bytes in keys and values of an encrypted database are found in no file, log line, span, metric or error, in
// all that it goes through; and the same search finds every one of them in a plain one, so that it would find them.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Stream } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import { Canaries, Said } from "./support/canaries.ts"
import { type Opened, type OpenOptions, smallOptions } from "./support/opened.ts"
import { allKept, crashOf, flipped, type Image, nothingKept, pathsOf, simulate, using } from "./support/scenario.ts"
import { masterKey, SimKeys } from "./support/simKeys.ts"
import { piecesOf } from "./support/valueKit.ts"

const options: OpenOptions = {
  ...smallOptions,
  arenaBytes: 16 * 1024,
  valueBytesMax: 64 * 1024,
  valueThreshold: 64,
  directValueBytesMin: 512,
  manifestBytesMax: 4096
}

/** The canary, again and again if it is to be long. */
const filled = (canary: Buffer, length: number): Uint8Array =>
  new Uint8Array(Buffer.alloc(Math.max(length, canary.length), canary).subarray(0, Math.max(length, canary.length)))

const sizes = { small: 16, inline: 60, separated: 200, direct: 900, streamed: 1500 } as const

const writeAll = ({ database }: Opened, canaries: Canaries, round: string) =>
  Effect.gen(function* () {
    for (const [name, length] of Object.entries(sizes)) {
      const key = canaries.of(`key of a ${name} value, ${round}`)
      const value = filled(canaries.of(`${name} value, ${round}`), length)
      if (name === "streamed") yield* database.setStream(key, piecesOf(value, [100, 700]))
      else yield* database.set(key, value)
    }
    const removed = canaries.of(`removed key, ${round}`)
    yield* database.set(removed, canaries.of(`removed value, ${round}`))
    yield* database.remove(removed)
    const [from, to] = [canaries.of(`from of a range, ${round}`), canaries.of(`to of a range, ${round}`)].sort(
      Buffer.compare
    )
    yield* database.set(Buffer.concat([from!, Buffer.of(1)]), canaries.of(`value in a range, ${round}`))
    yield* database.removeRange({ from: from!, to: to! })
  })

/** Two transactions of which one is refused, a stream that breaks, values and keys that are too long. */
const failAll = ({ database }: Opened, canaries: Canaries, said: Said) =>
  Effect.gen(function* () {
    const key = canaries.of("key of a conflict")
    const conflicting = database.transaction(
      (transaction) =>
        Effect.gen(function* () {
          yield* transaction.get(key)
          yield* database.set(key, canaries.of("value of who wins"))
          yield* transaction.set(key, canaries.of("value of who loses"))
          yield* transaction.set(key, filled(canaries.of("long value of who loses"), 900))
        }),
      { retry: Schedule.recurs(1) }
    )
    yield* said.refused(conflicting)
    const broken = Stream.concat(
      Stream.make(filled(canaries.of("value of a broken stream"), 2000)),
      Stream.fail("broken")
    )
    yield* said.refused(database.setStream(canaries.of("key of a broken stream"), broken))
    yield* said.refused(
      database.set(canaries.of("key of too long a value"), filled(canaries.of("too long"), 65 * 1024))
    )
    yield* said.refused(database.set(filled(canaries.of("too long a key"), 70_000), "x"))
  })

/** A disk that is searched after each of its writes, so that nothing is missed that is removed later. */
const searched = (canaries: Canaries, image?: Image) => {
  const found = new Map<string, string>()
  const device: SimDisk.SimDisk = SimDisk.make({
    image,
    onOperation: (_, operation, path) => {
      if (operation !== "append") return
      const file = device.files.file(path)
      for (const role of canaries.inBytes(file.content.view(0, file.visibleSize))) found.set(role, path)
    }
  })
  return { device, found }
}

const searchImage = (canaries: Canaries, image: Image, found: Map<string, string>): void => {
  for (const [path, bytes] of image) for (const role of canaries.inBytes(bytes)) found.set(role, path)
}

/** Everything that a database does, and what became of the canaries: in files, and in what was said. */
const lived = (keys: SimKeys | undefined) => {
  const canaries = new Canaries()
  const said = new Said()
  const given = (master: number): OpenOptions =>
    keys === undefined ? options : { ...options, encryption: keys.layer(master) }
  const { device, found } = searched(canaries)
  const run = <A>(body: (opened: Opened) => Effect.Effect<A, DatabaseError>, master = 1, on = device): A =>
    simulate(said.listening(using(on, body, given(master))))

  run((opened) =>
    Effect.gen(function* () {
      const { database, maintenance } = opened
      yield* writeAll(opened, canaries, "flushed")
      yield* maintenance.flush
      yield* writeAll(opened, canaries, "compacted")
      yield* maintenance.compact()
      yield* writeAll(opened, canaries, "flushed")
      yield* maintenance.compact()
      yield* maintenance.collectValues({ garbageRatioMin: 0.01 })
      yield* maintenance.checkpoint("/copy")
      yield* failAll(opened, canaries, said)
      if (keys !== undefined) {
        yield* maintenance.rotateMasterKey(masterKey(2))
        yield* maintenance.rotateDataKey({ full: true })
      }
      yield* writeAll(opened, canaries, "in the log")
      yield* Stream.runDrain(database.scan())
      assert.deepStrictEqual((yield* maintenance.verify).damage, [])
      yield* said.counted
    })
  )
  const master = keys === undefined ? 1 : 2
  const images = run(
    (opened) =>
      Effect.map(writeAll(opened, canaries, "before a crash"), () => [
        crashOf(device, allKept),
        crashOf(device, nothingKept)
      ]),
    master
  )
  for (const image of images) {
    searchImage(canaries, image, found)
    const after = searched(canaries, image)
    run(({ database }) => Effect.asVoid(database.count()), master, after.device)
    for (const [role, path] of after.found) found.set(role, path)
  }
  refusals(images[0]!, { canaries, given, said, master })
  return { canaries, found, said }
}

/** Openings and reads that fail: another key, none, damage, and a disk that fails. */
const refusals = (
  image: Image,
  life: {
    readonly canaries: Canaries
    readonly given: (master: number) => OpenOptions
    readonly said: Said
    readonly master: number
  }
) => {
  const { canaries, given, master, said } = life
  const reading = ({ database }: Opened) => Effect.asVoid(Stream.runDrain(database.scan()))
  const attempt = (files: Image, opening: OpenOptions, faulty = false) => {
    const device = SimDisk.make({ image: files })
    const body = faulty
      ? (opened: Opened) =>
          Effect.andThen(
            Effect.sync(() =>
              device.addFault({ code: "EIO", sticky: true, match: (operation) => operation !== "read" })
            ),
            writeAll(opened, canaries, "on a broken disk")
          )
      : reading
    simulate(Effect.exit(said.listening(using(device, body, opening))))
  }
  attempt(image, given(9))
  attempt(image, options)
  attempt(image, given(master), true)
  for (const path of [...pathsOf(image, "table"), ...pathsOf(image, "value"), ...pathsOf(image, "log")]) {
    const bytes = image.get(path)!
    for (const at of [100, bytes.length >> 1, bytes.length - 30]) {
      if (at > 0 && at < bytes.length) attempt(new Map(image).set(path, flipped(bytes, at)), given(master))
    }
  }
}

const unwritten = /too long|value of who loses|broken (stream|disk)/

describe("canaries in keys and values", () => {
  it("of a plain database are found in its files", () => {
    const { canaries, found } = lived(undefined)
    // What was refused, or taken back, before any of it was written.
    const missing = canaries.roles.filter((role) => !found.has(role) && !unwritten.test(role))
    assert.deepStrictEqual(missing, [])
    assert.isAbove(found.size, 50)
  })

  it("of an encrypted database are found in no file, and nothing says them", () => {
    const { canaries, found, said } = lived(new SimKeys(7))
    assert.deepStrictEqual([...found], [])
    assert.deepStrictEqual(canaries.inText(said.text), [])
    // It was listened to.
    for (const name of ["Database.open", "Flush.run", "Compaction.run", "Collection.run", "Database.checkpoint"]) {
      assert.isTrue(said.spanNames.has(name), name)
    }
    for (const words of ["Conflict", "Tampered", "EncryptionKeyMismatch", "EncryptionKeyRequired", "strata_"]) {
      assert.include(said.text, words)
    }
  })

  it("would be found in what is said", () => {
    const canaries = new Canaries()
    for (const role of ["one", "other"]) {
      const canary = canaries.of(role)
      const forms = [
        canary.toString("hex"),
        canary.toString("base64"),
        `[${[...canary].join(", ")}]`,
        canary.toString()
      ]
      for (const form of forms) assert.deepStrictEqual(canaries.inText(`with ${form} in it`), [role], form)
    }
  })
})
