// A run of the log on a simulated disk, with the power cut after every call of the device, and the judgement of what is
// left: a prefix of the accepted words that holds every word that was synced, and no word that was refused.
import { assert } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import { bytesOf, freshImages, type Image, openFiles, quiet, replayed, type Session } from "./fileSession.ts"

/** What was promised when the power went. */
interface Cut {
  readonly image: Image
  readonly where: string
  readonly synced: number
  readonly begun: boolean
}

/** The words in the order in which they were accepted, and what is promised of them now. */
export class History {
  readonly accepted: Array<string> = []
  /** The first word that the log from this segment on holds; what is before it is flushed. */
  readonly starts = new Map<number, number>()
  synced = 0
  begun = false
  refused = 0
  next = 0
}

export interface Campaign {
  images: number
  nested: number
  refused: number
  readonly seen: Set<string>
}

export const newCampaign = (): Campaign => ({ images: 0, nested: 0, refused: 0, seen: new Set() })

const wordOf = (number: number, random: SeededRandom): string =>
  `<${number}:${"x".repeat(random.chance(0.2) ? random.below(3000) : random.below(40))}>`

const act = Effect.fnUntraced(function* (
  files: Session,
  sim: SimDisk.SimDisk,
  run: { history: History; random: SeededRandom }
) {
  const { manifest, wal } = files
  const { history, random } = run
  const choice = random.below(20)
  if (choice < 10) {
    const full = random.chance(0.25)
    if (full) sim.setCapacity(sim.files.bytes + random.below(120))
    const word = wordOf(history.next, random)
    history.next += 1
    const exit = yield* Effect.exit(wal.append([bytesOf(word.slice(0, 5)), bytesOf(word.slice(5))]))
    if (Exit.isSuccess(exit)) history.accepted.push(word)
    else history.refused += 1
    assert.isTrue(full || Exit.isSuccess(exit))
    sim.setCapacity(2 ** 40)
  } else if (choice < 14) {
    const { length } = history.accepted
    yield* wal.sync
    history.synced = length
  } else if (choice < 17) {
    if (random.chance(0.2)) sim.setCapacity(sim.files.bytes + random.below(120))
    const exit = yield* Effect.exit(wal.switchSegment)
    sim.setCapacity(2 ** 40)
    if (Exit.isSuccess(exit)) history.synced = history.accepted.length
    if (Exit.isSuccess(exit)) history.starts.set(wal.segment(), history.accepted.length)
  } else if (choice < 19) {
    const segments = [...history.starts.keys()]
    const segment = segments.at(-1)!
    if (segment === manifest.state().logNumberMin) return
    yield* manifest.publish({ logNumberMin: segment, lsnDurable: wal.syncedLsn() })
    yield* wal.removeBelow(segment)
  } else {
    yield* wal.mark
  }
})

const work = Effect.fnUntraced(function* (sim: SimDisk.SimDisk, history: History, random: SeededRandom) {
  const files = yield* openFiles(sim.disk, { manifestBytesMax: 256 })
  const { manifest, wal } = files
  yield* wal.replay(() => Effect.void)
  yield* wal.start([])
  history.starts.set(wal.segment(), 0)
  yield* manifest.begin({ logNumberMin: wal.segment(), lsnDurable: wal.syncedLsn() })
  history.begun = true
  for (let step = 0; step < 14; step++) yield* act(files, sim, { history, random })
  if (random.chance(0.5)) return
  const sealed = yield* Effect.exit(wal.seal)
  if (!Exit.isSuccess(sealed)) return
  history.synced = history.accepted.length
  yield* manifest.publish({ cleanShutdown: { lastLsn: wal.lastLsn(), lastSequence: 0 } })
}, Effect.scoped)

/** One run; every distinct image of it is judged. `ignoresSync` plants a device that lies. */
export const walRun = (
  seed: number,
  campaign: Campaign,
  ignoresSync?: (operation: "sync" | "syncDirectory", path: string) => boolean
): void => {
  const history = new History()
  const cuts: Array<Cut> = []
  const sim: SimDisk.SimDisk = SimDisk.make({
    ignoresSync,
    onOperation: (index, operation, path) => {
      for (const { image, outcome } of freshImages(sim.files, campaign.seen, {
        promised: `${seed} ${history.synced} ${history.begun}`,
        seed: seed * 1000 + index
      })) {
        const where = `seed ${seed}, after ${index} ${operation} ${path}; ${outcome}`
        cuts.push({ image, where, synced: history.synced, begun: history.begun })
      }
    }
  })
  const random = new SeededRandom(seed)
  Exit.match(SimScheduler.run(quiet(work(sim, history, random)), { seed }), {
    onFailure: (cause) => assert.fail(`seed ${seed}: ${cause.toString()}`),
    onSuccess: () => assert.deepStrictEqual(sim.openHandles(), [], `seed ${seed} leaks`)
  })
  campaign.refused += history.refused
  for (const [index, cut] of cuts.entries()) {
    campaign.images += 1
    judge(cut, history)
    if (index % 40 === seed % 40) nested(cut, history, campaign)
  }
}

/** Opens the image for writing and recovers; returns how many words it holds. */
const opened = (disk: MemoryDisk.MemoryDisk["disk"], history: History, onBegun: (words: number) => void) =>
  Effect.gen(function* () {
    const files = yield* openFiles(disk)
    const { manifest, wal } = files
    const start = history.starts.get(manifest.state().logNumberMin) ?? 0
    const { text } = yield* replayed(wal)
    const words = history.accepted.slice(start)
    let count = 0
    for (let at = 0; at < text.length; count += 1) {
      assert.isTrue(
        count < words.length && text.startsWith(words[count]!, at),
        `not a prefix: ${text.slice(at, at + 40)}`
      )
      at += words[count]!.length
    }
    yield* wal.start(text === "" ? [] : [bytesOf(text)])
    history.starts.set(wal.segment(), start)
    yield* manifest.begin({ logNumberMin: wal.segment(), lsnDurable: wal.syncedLsn() })
    onBegun(start + count)
    yield* manifest.removeOrphans((kind, number) => kind === "log" && number >= wal.segment())
    return { exists: manifest.exists, count: start + count }
  }).pipe(Effect.scoped, quiet)

const judge = (cut: Cut, history: History): void => {
  const before = new Map(history.starts)
  const exit = SimScheduler.run(
    opened(MemoryDisk.fromImage(cut.image).disk, history, () => {}),
    { seed: 1 }
  )
  if (!Exit.isSuccess(exit)) assert.fail(`${cut.where}: ${exit.cause.toString()}`)
  assert.isAtLeast(exit.value.count, cut.synced, `${cut.where}: a synced word is lost`)
  if (cut.begun) assert.isTrue(exit.value.exists, `${cut.where}: the database is gone`)
  history.starts.clear()
  for (const [segment, start] of before) history.starts.set(segment, start)
}

/** The power goes again while the image is recovered. What was recovered once, and begun, stays. */
const nested = (cut: Cut, history: History, campaign: Campaign): void => {
  const before = new Map(history.starts)
  const cuts: Array<Cut> = []
  const promise = { synced: cut.synced, begun: cut.begun }
  const sim: SimDisk.SimDisk = SimDisk.make({
    image: cut.image,
    onOperation: (index, operation, path) => {
      for (const { image, outcome } of freshImages(sim.files, campaign.seen, {
        promised: `${cut.where} ${promise.synced} ${promise.begun}`,
        seed: index
      })) {
        cuts.push({ image, where: `${cut.where}; again after ${index} ${operation} ${path}; ${outcome}`, ...promise })
      }
    }
  })
  const onBegun = (words: number) => {
    promise.begun = true
    promise.synced = Math.max(promise.synced, words)
  }
  const exit = SimScheduler.run(opened(sim.disk, history, onBegun), { seed: 2 })
  if (!Exit.isSuccess(exit)) assert.fail(`${cut.where}: ${exit.cause.toString()}`)
  campaign.nested += cuts.length
  for (const again of cuts) judge(again, history)
  history.starts.clear()
  for (const [segment, start] of before) history.starts.set(segment, start)
}
