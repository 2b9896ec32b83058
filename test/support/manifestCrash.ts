// A run of the manifest on a simulated disk, with the power cut after every call of the device, and the judgement of
// what is left: the state that was published last, or the one that was being published.
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type { SyncModel } from "../../src/internal/structure/simulatedFiles.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import type { ManifestChange, ManifestService, ManifestState } from "../../src/services/Manifest.ts"
import { freshImages, type Image, openFiles, quiet, tableMeta } from "./fileSession.ts"

interface Cut {
  readonly image: Image
  readonly where: string
  /** States that may be found; `undefined`: no database. */
  readonly allowed: ReadonlyArray<string | undefined>
}

export interface Campaign {
  images: number
  nested: number
  readonly seen: Set<string>
}

export const newCampaign = (): Campaign => ({ images: 0, nested: 0, seen: new Set() })

const signature = (state: ManifestState): string =>
  [state.epoch, state.sequencesReserved, state.lsnDurable, ...state.tables.map(({ number }) => number).sort()].join(" ")

const reasonTag = (cause: Cause.Cause<DatabaseError>): string => {
  const error = Cause.squash(cause)
  assert.instanceOf(error, DatabaseError, Cause.pretty(cause))
  return error.reason._tag
}

/** What is published, and what is about to be. */
class Promised {
  published: string | undefined = undefined
  next: ReadonlyArray<string> = []
  /** Before the state was read: what may be found. */
  unread: ReadonlyArray<string | undefined> | undefined

  constructor(unread?: ReadonlyArray<string | undefined>) {
    this.unread = unread
  }

  get allowed(): ReadonlyArray<string | undefined> {
    return this.unread ?? [this.published, ...this.next]
  }
}

const randomChange = (manifest: ManifestService, random: SeededRandom): ManifestChange => {
  const { tables } = manifest.state()
  const removed = tables.filter(() => random.chance(0.3)).map(({ number }) => number)
  return {
    addTables: random.chance(0.6) ? [tableMeta(manifest.allocateFileNumber())] : [],
    removeTables: removed,
    sequencesReserved: manifest.state().sequencesReserved + random.below(100)
  }
}

/** Publishes, and keeps the promise up to date. `epoch` if it is a `begin`. */
const publishing = Effect.fnUntraced(function* (
  manifest: ManifestService,
  promise: Promised,
  change: ManifestChange,
  epoch?: number
) {
  const before = manifest.state()
  const tables = before.tables.filter(({ number }) => !(change.removeTables ?? []).includes(number))
  const after = {
    ...before,
    epoch: epoch ?? before.epoch,
    tables: [...tables, ...(change.addTables ?? [])],
    sequencesReserved: change.sequencesReserved ?? before.sequencesReserved
  }
  promise.next = [signature(after)]
  const exit = yield* Effect.exit(epoch === undefined ? manifest.publish(change) : manifest.begin(change))
  if (Exit.isSuccess(exit)) {
    promise.published = signature(after)
    promise.next = []
    assert.strictEqual(signature(manifest.state()), promise.published)
  }
  return exit
})

const poisoned = Effect.fnUntraced(function* (manifest: ManifestService) {
  for (const call of [manifest.publish({}), manifest.begin({}), manifest.removeOrphans(() => false)]) {
    const exit = yield* Effect.exit(call)
    assert.strictEqual(Exit.isFailure(exit) ? reasonTag(exit.cause) : "success", "Poisoned")
  }
})

const work = Effect.fnUntraced(function* (sim: SimDisk.SimDisk, promise: Promised, random: SeededRandom) {
  const { manifest } = yield* openFiles(sim.disk, { manifestBytesMax: 300 })
  const begun = yield* publishing(manifest, promise, { sequencesReserved: 5 }, manifest.epochNext)
  if (Exit.isFailure(begun)) return yield* poisoned(manifest)
  for (let step = 0; step < 8; step++) {
    if (random.chance(0.2)) sim.setCapacity(sim.files.bytes + random.below(700))
    const exit = yield* publishing(manifest, promise, randomChange(manifest, random))
    sim.setCapacity(2 ** 40)
    // Refused by a full disk, definitely: then the old state stands.
    if (Exit.isSuccess(exit)) continue
    const tag = reasonTag(exit.cause)
    if (tag === "DiskFull") promise.next = []
    else return yield* poisoned(manifest)
  }
}, Effect.scoped)

export interface Fault {
  /** Which sync fails, counting from the first. */
  readonly sync: number
  readonly model: SyncModel
}

/** One run; every distinct image of it is judged. */
export const manifestRun = (
  seed: number,
  campaign: Campaign,
  options: {
    readonly fault?: Fault
    readonly ignoresSync?: (operation: "sync" | "syncDirectory", path: string) => boolean
  } = {}
): void => {
  const promise = new Promised()
  const cuts: Array<Cut> = []
  const { fault } = options
  let syncs = 0
  let failed = false
  const removedAfter: Array<string> = []
  const sim: SimDisk.SimDisk = SimDisk.make({
    ignoresSync: options.ignoresSync,
    faults:
      fault === undefined
        ? []
        : [
            {
              code: "EIO",
              syncModel: fault.model,
              match: (operation, path) => {
                const isSync = operation === "sync" || (operation === "syncDirectory" && path === "/db" && syncs > 0)
                if (isSync) syncs += 1
                failed ||= isSync && syncs > fault.sync
                return isSync && syncs > fault.sync
              }
            }
          ],
    onOperation: (index, operation, path) => {
      if (failed && operation === "remove") removedAfter.push(path)
      for (const { image, outcome } of freshImages(sim.files, campaign.seen, {
        promised: `${promise.allowed.join()}`,
        seed: seed * 1000 + index
      })) {
        const where = `seed ${seed}, after ${index} ${operation} ${path}; ${outcome}`
        cuts.push({ image, where, allowed: promise.allowed })
      }
    }
  })
  const exit = SimScheduler.run(quiet(work(sim, promise, new SeededRandom(seed))), { seed })
  if (!Exit.isSuccess(exit)) assert.fail(`seed ${seed}: ${exit.cause.toString()}`)
  assert.deepStrictEqual(sim.openHandles(), [], `seed ${seed} leaks`)
  assert.deepStrictEqual(removedAfter, [], `seed ${seed}: files deleted after a failed manifest sync`)
  for (const [index, cut] of cuts.entries()) {
    campaign.images += 1
    judge(cut, MemoryDisk.fromImage(cut.image).disk)
    if (index % 10 === seed % 10) nested(cut, campaign)
  }
}

/** Opens the image, sees that its state is allowed, and begins. */
const opened = (disk: DiskService, cut: Cut, promise: Promised) =>
  Effect.gen(function* () {
    const { manifest } = yield* openFiles(disk)
    const found = manifest.exists ? signature(manifest.state()) : undefined
    assert.include(cut.allowed, found)
    promise.published = found
    promise.unread = undefined
    const exit = yield* publishing(manifest, promise, { sequencesReserved: 7777 }, manifest.epochNext)
    assert.isTrue(Exit.isSuccess(exit))
    yield* manifest.removeOrphans(() => true)
    const names = (yield* disk.list("/db")).map(({ name }) => name).filter((name) => /\.(?:man|mark)$/.test(name))
    assert.strictEqual(names.length, 2, `left over: ${names.join(", ")}`)
  }).pipe(Effect.scoped, quiet)

const judge = (cut: Cut, disk: DiskService, promise = new Promised()): void => {
  const exit = SimScheduler.run(opened(disk, cut, promise), { seed: 1 })
  if (!Exit.isSuccess(exit)) assert.fail(`${cut.where}: ${exit.cause.toString()}`)
}

const nested = (cut: Cut, campaign: Campaign): void => {
  const cuts: Array<Cut> = []
  const promise = new Promised(cut.allowed)
  const sim: SimDisk.SimDisk = SimDisk.make({
    image: cut.image,
    onOperation: (index, operation, path) => {
      for (const { image, outcome } of freshImages(sim.files, campaign.seen, {
        promised: `${promise.allowed.join()}`,
        seed: index
      })) {
        const where = `${cut.where}; again after ${index} ${operation} ${path}; ${outcome}`
        cuts.push({ image, where, allowed: promise.allowed })
      }
    }
  })
  judge(cut, sim.disk, promise)
  campaign.nested += cuts.length
  for (const again of cuts) judge(again, MemoryDisk.fromImage(again.image).disk)
}
