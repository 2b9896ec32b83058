// What a run that is cut from power does with value files, and what must be true of them in every image.
//
// Values are as long as the thresholds, and a little shorter and longer; thresholds, files and memtables are tiny, so
// that separation at a flush, values that go to a file first, collection, its installation and the removal of files
// meet each other and the power cuts. Beside what all images are judged by:
//
//   5  no value file is there that nobody names, once what is in the log is in tables
//   6  what stats say is live, dead and referenced is what `verify` counts (it reports a difference as damage)
//   7  after everything is compacted and collected there is no garbage, and every value is as it was
import { assert } from "@effect/vitest"
import { Clock, Effect } from "effect"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import type { Actor } from "./crashRun.ts"
import { markOf } from "./faultLedger.ts"
import { bytes, hex, inRange, type ModelRemoval, unexpired } from "./model.ts"
import { contentsOf, directory, type Opened } from "./opened.ts"
import { type Directory, noOrphansSettled, orphansIn } from "./orphans.ts"
import { type Dice, randomLongValue, randomWrites, toOperation, writeIn } from "./randomPlan.ts"
import { piecesOf, tinyValues } from "./valueKit.ts"

const valueBytesMax = 8192

export const valueRunOptions = (dice: Dice): OptionsInput => ({
  valueBytesMax,
  valueThreshold: dice.pick([0, 16, 40]),
  directValueBytesMin: dice.pick([64, 64, 200, 1024]),
  valueFileBytesMax: dice.pick([64, 1024, 4096])
})

export const valueJudgeOptions: OptionsInput = { arenaBytes: 4096, cacheBytes: 0, valueBytesMax, ...tinyValues }

/** Streams are of keys that nobody else writes, so that the sequence of each can be asked for afterwards. */
const streamPrefix = hex(new TextEncoder().encode("~stream "))
const streamKey = (id: number): string => streamPrefix + markOf(id)

/** The removal, but for those keys. */
export const sparesStreams = (write: ModelRemoval): ModelRemoval =>
  inRange([{ key: streamKey(1) }], write.removed).length === 0
    ? write
    : { removed: { ...write.removed, to: bytes(streamPrefix.slice(0, 2)), toInclusive: false } }

const stream = Effect.fnUntraced(function* (opened: Opened, { dice, history }: Actor) {
  const { database } = opened
  const [key, value] = [streamKey(history.newId()), randomLongValue(dice)]
  const durability = dice.pick(["disk", "os", "buffered"] as const)
  const lengths = [1 + dice.below(100), 1 + dice.below(1000)]
  yield* database.setStream(bytes(key), piecesOf(bytes(value), lengths), { durability })
  const entry = yield* database.getEntry(bytes(key))
  history.acknowledged(entry!, [{ key, value }], durability)
  if (dice.chance(50)) return
  const writes = [
    { key, value: undefined },
    { key: markOf(history.newId()), value: "" }
  ]
  const commit = yield* database.write(writes.map(toOperation), { durability })
  history.acknowledged(commit, writes, durability)
})

/** A transaction with long values, which commits, is discarded, or conflicts. */
const transact = Effect.fnUntraced(function* (opened: Opened, { dice, history }: Actor) {
  const random = randomWrites(dice, { now: 0, longest: "values" })
  const writes = random.flatMap((write) => ("removed" in write ? [] : [{ ...write, expiresAt: undefined }]))
  const transaction = yield* opened.database.begin({ isolation: dice.pick(["serializable", "snapshot"]) })
  writes.push({ key: markOf(history.newId()), value: "", expiresAt: undefined })
  for (const write of writes) yield* writeIn(transaction, write)
  if (dice.chance(30)) return yield* transaction.discard
  const commit = yield* Effect.result(transaction.commit)
  if (commit._tag === "Success") history.acknowledged(commit.success, writes, "disk")
  else assert.strictEqual(commit.failure.reason._tag, "Conflict")
})

/** A step that only runs with value files have. */
export const actOnValues = Effect.fnUntraced(function* (opened: Opened, actor: Actor) {
  const { dice } = actor
  const kind = dice.below(10)
  if (kind < 4) yield* opened.maintenance.collectValues({ garbageRatioMin: dice.pick([0, 0.2, 0.5]) })
  else if (kind < 6) yield* stream(opened, actor)
  else if (kind < 9) yield* Effect.scoped(transact(opened, actor))
  // Long enough for collection to come by itself.
  else yield* Effect.sleep("2 minutes")
})

/** What a state does not name; a value of a commit that is only in the log is named by that. */
export const namedBy = (at: Directory, values: boolean): Effect.Effect<void, DatabaseError> =>
  Effect.map(orphansIn(at), (names) => {
    const orphans = values ? names.filter((name) => !name.startsWith("value-")) : names
    assert.deepStrictEqual(orphans, [], "files that no state names, after the close")
  })

/** Holds the value files of an open database, with nothing in its memtables, against what it says of them. */
export const judgeValues = Effect.fnUntraced(function* (
  opened: Opened,
  disk: DiskService,
  encryption: Directory["encryption"]
) {
  const { database, maintenance } = opened
  const before = yield* contentsOf(database)
  assert.deepStrictEqual((yield* maintenance.verify).damage, [], "value files, flushed")
  yield* maintenance.compact()
  yield* maintenance.collectValues({ garbageRatioMin: 0 })
  const collected = yield* contentsOf(database)
  const now = yield* Clock.currentTimeMillis
  assert.deepStrictEqual(unexpired(collected, now), unexpired(before, now), "collected")
  assert.deepStrictEqual((yield* maintenance.verify).damage, [], "value files, collected")
  const { valueFiles } = yield* maintenance.stats
  assert.strictEqual(valueFiles.garbageBytes, 0, "garbage that a collection leaves")
  assert.strictEqual(valueFiles.liveValues, valueFiles.values)
  assert.isAtMost(valueFiles.values, before.length, "values without a key")
  yield* noOrphansSettled(disk, { directory, encryption, maintenance })
})
