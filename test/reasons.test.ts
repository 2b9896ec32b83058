// Every reason that `DatabaseError` has, met by somebody who uses the database. The reasons are read from the sources:
// one that is added there fails here until there is a way to meet it.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { readFileSync } from "node:fs"
import { crc32 } from "node:zlib"
import { FileKind } from "../src/internal/format/fileHeader.ts"
import * as AeadEncryption from "../src/layers/AeadEncryption.ts"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DeviceRule } from "../src/layers/SimFaults.ts"
import { type DatabaseError, Reason } from "../src/services/DatabaseError.ts"
import { Encryption } from "../src/services/Encryption.ts"
import { invertingSealer } from "./internal/format/support.ts"
import { encryptionWith, filesWith } from "./support/encryptions.ts"
import { type Opened, open, type OpenOptions, smallOptions } from "./support/opened.ts"
import { closedAfter, flipped, type Image, pathsOf, reasonOf, simulate, using, withFiles } from "./support/scenario.ts"

type Tag = Reason["_tag"]

const keyed = (byte: number): OpenOptions => ({
  ...smallOptions,
  encryption: AeadEncryption.layer({ key: Redacted.make(new Uint8Array(32).fill(byte)) })
})

/** A database with one table. */
const madeWith = (options: OpenOptions): Image =>
  closedAfter(({ database, maintenance }) => Effect.andThen(database.set("a", "1"), maintenance.flush), options)

/** Why the opening, or what is done then, fails. */
const failing = (
  device: { readonly layer: SimDisk.SimDisk["layer"] },
  body: (opened: Opened) => Effect.Effect<unknown, DatabaseError>,
  options: OpenOptions = smallOptions
): Reason => simulate(reasonOf(using(device, body, options)))

const opening = (image: Image, options: OpenOptions = smallOptions): Reason =>
  failing(MemoryDisk.fromImage(image), () => Effect.void, options)

/** Of a database whose table has a bit in its first block turned over. */
const damaged = (options: OpenOptions): Reason => {
  const image = madeWith(options)
  const [path] = pathsOf(image, "table")
  const disk = MemoryDisk.fromImage(withFiles(image, { [path!]: flipped(image.get(path!)!, 130) }))
  return failing(disk, ({ database }) => database.get("a"), options)
}

/** The log's sync fails; then, why the call does. */
const poisoned = (call: (opened: Opened) => Effect.Effect<unknown, DatabaseError>): Reason => {
  const device = SimDisk.make()
  const failSync = Effect.sync(() =>
    device.addFault({ code: "EIO", match: (operation, path) => operation === "sync" && path.includes("/log-") })
  )
  return failing(device, (opened) => Effect.andThen(failSync, call(opened)))
}

const striking = (rule: DeviceRule): Reason => {
  const device = SimDisk.make()
  const strike = Effect.sync(() => device.addFault(rule))
  return failing(device, ({ database }) => Effect.andThen(strike, database.set("a", "1")))
}

/** A reader beside whom somebody else opened the database and compacted it. */
const stale = (): Reason => {
  const device = SimDisk.make({ image: madeWith(smallOptions) })
  const rewriting = using(device, ({ database, maintenance }) =>
    Effect.andThen(Effect.andThen(database.remove("a"), maintenance.flush), maintenance.compact())
  )
  const reading = using(device, ({ database }) => Effect.andThen(rewriting, database.get("a")), {
    ...smallOptions,
    readOnly: true
  })
  return simulate(reasonOf(reading))
}

const conflict = (): Reason =>
  failing(SimDisk.make(), ({ database }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const transaction = yield* database.begin()
        yield* transaction.get("a")
        yield* transaction.set("b", "1")
        yield* database.set("a", "1")
        yield* transaction.commit
      })
    )
  )

/** A manifest whose header says that a later version wrote it. */
const newer = (): Reason => {
  const image = madeWith(smallOptions)
  const path = pathsOf(image, "current").at(-1)!
  const bytes = image.get(path)!.slice()
  bytes[8] = 1
  new DataView(bytes.buffer).setUint32(92, crc32(bytes.subarray(0, 92)), true)
  return opening(withFiles(image, { [path]: bytes }))
}

/** A flush that breaks by a bug. */
const brokenJob = (): Reason => {
  const breaking = filesWith(invertingSealer, {
    sealer: ({ access, kind }) =>
      kind === FileKind.table && access === "seal" ? Effect.die(new TypeError("bug")) : Effect.succeed(invertingSealer)
  })
  const options = { ...smallOptions, encryption: Layer.succeed(Encryption, encryptionWith(breaking)) }
  return failing(
    SimDisk.make(),
    ({ database, maintenance }) => Effect.andThen(database.set("a", "1"), maintenance.flush),
    options
  )
}

const met: { readonly [tag in Tag]: () => Reason } = {
  Conflict: conflict,
  Invalid: () => failing(SimDisk.make(), ({ database }) => database.set("", "1")),
  Locked: () => {
    const device = SimDisk.make()
    return failing(device, () => Effect.scoped(open(device.layer, smallOptions)))
  },
  Stale: stale,
  Poisoned: () =>
    poisoned(({ database }) => Effect.andThen(Effect.ignore(database.set("a", "1")), database.set("a", "2"))),
  CommitOutcomeUnknown: () => poisoned(({ database }) => database.set("a", "1")),
  Corruption: () => damaged(smallOptions),
  Tampered: () => damaged(keyed(1)),
  EncryptionKeyMismatch: () => opening(madeWith(keyed(1)), keyed(2)),
  EncryptionKeyRequired: () => opening(madeWith(keyed(1))),
  NotEncrypted: () => opening(madeWith(smallOptions), keyed(1)),
  DiskFull: () => striking({ code: "ENOSPC", match: (operation) => operation === "append" }),
  Io: () => striking({ code: "EIO", match: (operation) => operation === "append" }),
  Unsupported: newer,
  JobFailed: brokenJob,
  Closed: () =>
    simulate(reasonOf(Effect.flatMap(using(SimDisk.make(), Effect.succeed), ({ database }) => database.get("a")))),
  ReadOnly: () =>
    failing(SimDisk.make({ image: madeWith(smallOptions) }), ({ database }) => database.set("a", "2"), {
      ...smallOptions,
      readOnly: true
    })
}

describe("the reasons", () => {
  const source = readFileSync(new URL("../src/services/DatabaseError.ts", import.meta.url), "utf8")
  const declared = [...source.matchAll(/^export class (\w+) extends Schema\.TaggedError/gm)].map(([, name]) => name!)

  it("in the sources are those of the schema, and each can be met", () => {
    const tags = declared.filter((name) => name !== "DatabaseError")
    assert.isAbove(tags.length, 10)
    assert.deepStrictEqual(Object.keys(met), tags)
    assert.deepStrictEqual(
      Reason.members.map((member) => member.identifier.replace(/^strata\//, "")),
      tags
    )
  })

  it.each(Object.entries(met))("%s", (tag, meet) => {
    const reason = meet()
    assert.strictEqual(reason._tag, tag, reason.message)
    assert.isNotEmpty(reason.message)
  })
})
