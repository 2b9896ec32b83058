// A simulated run of commits that bring along value files, with the power cut after every device call. Each image is
// opened and judged by what was submitted and acknowledged, as in crashRun.ts:
//
//   1  it opens without help, and holds exactly what some prefix of the commits left, whole values included
//   2  the prefix contains every commit that was acknowledged as durable before the cut
//   3  `verify` finds no damage, and after each close the value files on the disk are exactly those that the manifest
//      or a commit in the log names
//
// Every commit sets a key that no other does, so what is found says which commit was the last.
import { assert } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import { directoryState } from "../../src/internal/engine/directoryState.ts"
import { replayLog } from "../../src/internal/engine/logReplay.ts"
import { searchManifest } from "../../src/internal/engine/manifestReader.ts"
import { CommitReader } from "../../src/internal/format/commit.ts"
import { Kind, RecordView } from "../../src/internal/format/record.ts"
import { readHandle } from "../../src/internal/format/valueHandle.ts"
import type { DatabaseService } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import type { ManifestService } from "../../src/services/Manifest.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { bytes, Model, type ModelWrite } from "./model.ts"
import { kindOf } from "./fileKind.ts"
import { contentsOf, directory, type Opened, open, quiet } from "./opened.ts"
import { Dice, toOperation } from "./randomPlan.ts"
import { hashOf } from "./imageHash.ts"

interface Cut {
  readonly image: ReadonlyMap<string, Uint8Array>
  /** Of the image and of what was promised before it. */
  readonly key: string
  readonly where: string
  readonly durable: number
}

export interface Campaign {
  /** Images opened, each once. */
  images: number
  readonly seen: Set<string>
  /** How often the power failed after each kind of call. */
  readonly steps: Map<string, number>
}

const randomOptions = (dice: Dice): OptionsInput => ({
  arenaBytes: dice.pick([1024, 4096]),
  arenaCount: dice.pick([2, 3]),
  valueBytesMax: 4000,
  valueThreshold: dice.pick([0, 30, 200]),
  directValueBytesMin: dice.pick([40, 200]),
  valueFileBytesMax: dice.pick([64, 1000, 100_000]),
  cacheBytes: dice.pick([0, 65_536]),
  flushOnCloseBytesMin: dice.pick([0, 1024 * 1024]),
  manifestBytesMax: dice.pick([256, 4 * 1024 * 1024]),
  openFilesMax: 8
})

/** What was submitted, in the order in which it was acknowledged. */
class History {
  readonly model = new Model()
  durable = 0
  private keys = 0

  key(): string {
    this.keys += 1
    return `21${this.keys.toString(16).padStart(6, "0")}`
  }

  acknowledged(sequence: number, writes: ReadonlyArray<ModelWrite>, durability: string): void {
    this.model.commit(sequence, writes)
    if (durability === "disk") this.durable = Math.max(this.durable, sequence)
  }
}

const randomValue = (dice: Dice): string =>
  dice
    .below(256)
    .toString(16)
    .padStart(2, "0")
    .repeat(dice.chance(60) ? 40 + dice.below(600) : dice.below(60))

const randomWrites = (dice: Dice): Array<ModelWrite> =>
  Array.from({ length: 1 + dice.below(4) }, () => {
    const key = dice.pick(["61", "62", "6263", "63"])
    if (dice.chance(5)) return { removed: { from: bytes("61"), to: bytes("63") } }
    return { key, value: dice.chance(15) ? undefined : randomValue(dice) }
  })

/** In pieces, between which others run. */
const slowly = (value: string) =>
  Stream.mapEffect(Stream.rechunk(Stream.fromIterable(value.match(/.{1,200}/g) ?? []), 1), (piece) =>
    Effect.as(Effect.yieldNow, bytes(piece))
  )

const act = Effect.fnUntraced(function* ({ database, maintenance }: Opened, history: History, dice: Dice) {
  const kind = dice.below(100)
  const durability = dice.pick(["disk", "disk", "os", "buffered"] as const)
  if (kind < 8) return yield* maintenance.flush
  if (kind < 14) return yield* Effect.sleep(dice.pick([1, 20, 6000]))
  if (kind < 20) return yield* leaveNothing(database, dice)
  const own = { key: history.key(), value: randomValue(dice) }
  if (kind < 40) {
    yield* database.setStream(bytes(own.key), slowly(own.value), { durability })
    const entry = yield* database.getEntry(bytes(own.key))
    return history.acknowledged(entry!.sequence, [own], durability)
  }
  const writes = [...randomWrites(dice), own]
  if (kind < 75) {
    const commit = yield* database.write(writes.map(toOperation), { durability })
    return history.acknowledged(commit.sequence, writes, durability)
  }
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const tx = yield* database.begin({ durability })
      for (const write of writes) {
        if ("removed" in write) yield* tx.removeRange(write.removed)
        else if (write.value === undefined) yield* tx.remove(bytes(write.key))
        else if (dice.chance(50)) yield* tx.setStream(bytes(write.key), slowly(write.value))
        else yield* tx.set(bytes(write.key), bytes(write.value))
      }
      const commit = yield* tx.commit
      history.acknowledged(commit.sequence, writes, durability)
    })
  )
})

/** Writes whose commit does not happen. */
const leaveNothing = (database: DatabaseService, dice: Dice): Effect.Effect<void, DatabaseError> => {
  const value = bytes("ee".repeat(1000))
  const broken = Stream.concat(Stream.make(value), Stream.fail("broken"))
  return dice.chance(50)
    ? Effect.ignore(database.setStream("never", broken))
    : Effect.scoped(Effect.flatMap(database.begin(), (tx) => tx.set("never", value)))
}

/** Runs the actors of the seed and returns what cuts left. */
export const directRun = (
  seed: number,
  campaign: Campaign
): { readonly cuts: Array<Cut>; readonly history: History } => {
  const dice = new Dice(seed)
  const options = randomOptions(dice)
  const history = new History()
  const cuts: Array<Cut> = []
  const random = new SeededRandom(seed)
  const device: SimDisk.SimDisk = SimDisk.make({
    onOperation: (index, operation, path) => {
      const name = `${operation} ${kindOf(path)}`
      campaign.steps.set(name, (campaign.steps.get(name) ?? 0) + 1)
      for (const outcome of outcomes) {
        // One in twelve, so that a campaign sees many runs.
        if (random.below(12) > 0) continue
        const image = new Map(
          [...device.files.crash(outcome, random)].map(([path, content]) => [path, content.slice()])
        )
        const key = `${hashOf(image)} ${history.durable}`
        if (campaign.seen.has(key)) continue
        campaign.seen.add(key)
        cuts.push({ image, key, where: `call ${index} (${name}), ${outcome.name}`, durable: history.durable })
      }
    }
  })
  const session = Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* open(device.layer, options)
      const actor = Effect.suspend(() => {
        const own = new Dice(dice.below(1e9))
        return Effect.forEach(Array.from({ length: 3 + own.below(4) }), () => act(opened, history, own))
      })
      yield* Effect.all([actor, actor, actor].slice(dice.below(2)), { concurrency: "unbounded", discard: true })
    })
  )
  run(Effect.andThen(session, session), { seed, where: "the run" })
  return { cuts, history }
}

const run = <A>(effect: Effect.Effect<A, unknown>, place: { readonly seed: number; readonly where: string }): A => {
  const message = `seed ${place.seed}, cut after ${place.where}`
  try {
    const exit = SimScheduler.run(quiet(effect), { seed: place.seed })
    if (Exit.isSuccess(exit)) return exit.value
    throw new Error(message, { cause: exit.cause })
  } catch (cause) {
    throw new Error(message, { cause })
  }
}

/** Of a closed database: the value files on the disk are those that its manifest names, or a commit in its log. */
export const assertValueFilesNamed = Effect.fnUntraced(function* (disk: DiskService, message: string) {
  const parts = { disk, directory, readOnly: true, encryption: NoEncryption.fileEncryption }
  const state = directoryState(yield* Effect.orDie(disk.list(directory)))
  const { loaded } = yield* searchManifest(parts, state)
  const { databaseId, facts, incarnation } = loaded!
  const manifest = {
    exists: true,
    state: () => ({ ...facts, databaseId, incarnation }),
    allocateFileNumber: () => Number.MAX_SAFE_INTEGER
  } as unknown as ManifestService
  const named = new Set(facts.valueFiles.map(({ number }) => number))
  yield* replayLog({ ...parts, manifest }, (payload) => Effect.sync(() => addNamed(payload, named)))
  const there = state.valueFiles.map(({ number }) => number)
  assert.deepStrictEqual(there.sort(), [...named].sort(), message)
})

const addNamed = (payload: Uint8Array, into: Set<number>): void => {
  const reader = new CommitReader(payload)
  const record = new RecordView()
  while (reader.next()) {
    while (reader.nextRecord(record)) {
      if (record.kind === Kind.valueHandle) into.add(readHandle(payload, record.valueStart, record.valueEnd).file)
    }
  }
}

const judge = Effect.fnUntraced(function* (cut: Cut, memory: MemoryDisk.MemoryDisk, history: History) {
  const flushing = { arenaBytes: 4096, valueBytesMax: 4000, flushOnCloseBytesMin: 0, valueThreshold: 50 }
  const check = Effect.fnUntraced(function* ({ database, maintenance }: Opened) {
    const found = yield* contentsOf(database)
    const last = found.reduce((highest, entry) => Math.max(highest, entry.sequence), 0)
    assert.isAtLeast(last, cut.durable, "an acknowledged commit is lost")
    assert.deepStrictEqual(found, history.model.at(last, 0), `not the state after commit ${last}`)
    assert.deepStrictEqual((yield* maintenance.verify).damage, [])
  })
  yield* Effect.scoped(Effect.flatMap(open(memory.layer, { ...flushing, flushOnCloseBytesMin: 1024 * 1024 }), check))
  yield* assertValueFilesNamed(memory.disk, "value files that no state names, with a log")
  yield* Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* open(memory.layer, flushing)
      yield* check(opened)
      yield* opened.maintenance.flush
      yield* check(opened)
    })
  )
  yield* assertValueFilesNamed(memory.disk, "value files that no state names, flushed")
})

export const judgeDirect = (
  { cuts, history }: ReturnType<typeof directRun>,
  campaign: Campaign,
  seed: number
): void => {
  for (const cut of cuts) {
    campaign.images += 1
    run(judge(cut, MemoryDisk.fromImage(cut.image), history), { seed, where: cut.where })
  }
}
