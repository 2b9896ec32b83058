// What seals, and may seal twice with one nonce if files are not told apart: lives of databases that part, end, fail
// and begin again with one data key.
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { Entropy } from "../../src/internal/engine/entropy.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import { entropy as nodeEntropy } from "../../src/layers/NodeEntropy.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { crashRun, judgeAll, newCampaign, type RunKind } from "./crashRun.ts"
import { type NonceLedger, sealedBy } from "./nonceLedger.ts"
import { directory, open, type Opened, type OpenOptions, visibleImage } from "./opened.ts"
import { type Body, cuttingDisk, distinct, type Image, simulate, using } from "./scenario.ts"
import { masterKey } from "./simKeys.ts"
import { piecesOf, valueOptions } from "./valueKit.ts"

/** Runs of a kind, the power cut after their calls and in recoveries; of the images one in `one` goes on. */
export const crashes = (
  kind: RunKind,
  { encryptions, ledger, one, seed }: { ledger: NonceLedger; encryptions: number; one: number; seed: number }
): number => {
  const campaign = newCampaign()
  const enough = ledger.encryptions + encryptions
  const sealed = { ...kind, encryption: sealedBy({ cipher: ledger.cipher }) }
  for (let at = seed; ledger.encryptions < enough; at++) {
    const run = crashRun(at, campaign, sealed)
    for (let first = 0; first < run.cuts.length && ledger.encryptions < enough; first += 8 * one) {
      // A few at a time, so that a share ends soon after it is full.
      const cuts = run.cuts.slice(first, first + 8 * one).filter((_, index) => index % one === 0)
      judgeAll({ ...run, cuts }, campaign, { seed: at, nestedEvery: first % (24 * one) === 0 ? cuts.length : 1e9 })
    }
  }
  return campaign.images
}

export const sealedOptions = (ledger: NonceLedger, entropy?: Entropy): OpenOptions => ({
  ...valueOptions,
  encryption: sealedBy({ cipher: ledger.cipher, entropy })
})

/** Commits, streams, flushes, compactions and collections: every kind of file gets another. */
export const work =
  (round: number) =>
  ({ database, maintenance }: Opened): Effect.Effect<void, DatabaseError> =>
    Effect.gen(function* () {
      for (let index = 0; index < 30; index++) {
        const value = `${round} ${index} `.repeat(index % 7 === 0 ? 40 : 2)
        yield* database.set(`key ${index % 20}`, value, { durability: index % 2 === 0 ? "disk" : "os" })
      }
      yield* database.setStream(`stream ${round}`, piecesOf(new Uint8Array(3000).fill(round), [700]))
      yield* maintenance.flush
      yield* maintenance.compact()
      yield* maintenance.collectValues({ garbageRatioMin: 0 })
      yield* database.set("last", String(round))
    })

/** Opens the files in memory, does the body, closes. The seed is the same for everybody: so is `Random`. */
export const goOn = (image: Image, body: Body<void>, options: OpenOptions): void =>
  void simulate(using(MemoryDisk.fromImage(image), body, options))

/** A database in the midst of its life: closed, and as a copy of its directory finds it while it is open. */
export const halfway = (options: OpenOptions): ReadonlyArray<Image> => {
  const device = SimDisk.make()
  const images: Array<Image> = []
  const body: Body<void> = (opened) =>
    Effect.andThen(
      work(0)(opened),
      Effect.sync(() => void images.push(visibleImage(device)))
    )
  simulate(using(device, body, options))
  return [...images, visibleImage(device)]
}

/** The random numbers of a machine that is resumed again and again from one moment; only clocks and counters go on. */
export const repeating = (moment: Entropy["moment"] = nodeEntropy.moment): { entropy: Entropy; resume: () => void } => {
  let drawn = 0
  const entropy: Entropy = {
    bytes: (length) => Uint8Array.from({ length }, (_, index) => Math.imul(++drawn, 0x9e3779b1) >>> (index % 24)),
    moment
  }
  return { entropy, resume: () => (drawn = 1000) }
}

/** Both rotations beside each other's work, the power cut after every call of them; what is found goes on. */
export const rotations = (ledger: NonceLedger, one: number): number => {
  const encryption = (byte: number) => sealedBy({ byte, cipher: ledger.cipher })
  const { cuts, device, state } = cuttingDisk()
  state.on = false
  const session = (byte: number, next: number): Effect.Effect<void, DatabaseError> =>
    using(
      device,
      (opened) =>
        Effect.gen(function* () {
          yield* work(byte)(opened)
          state.on = true
          state.promised = byte
          yield* opened.maintenance.rotateDataKey({ full: true })
          yield* opened.maintenance.rotateMasterKey(masterKey(next))
          state.on = false
          state.promised = next
          yield* work(byte)(opened)
          yield* opened.maintenance.checkpoint(`${directory}-copy-${byte}`)
        }),
      { ...valueOptions, encryption: encryption(byte) }
    )
  for (const byte of [1, 2, 3]) {
    simulate(session(byte, byte + 1))
    // The checkpoint goes on beside its origin, with the same keys.
    const options = { ...valueOptions, encryption: encryption(byte + 1) }
    const copy = open(device.layer, options, `${directory}-copy-${byte}`)
    for (let turn = 0; turn < 2; turn++) simulate(Effect.scoped(Effect.flatMap(copy, work(byte))))
  }
  const images = distinct(cuts).filter((_, index) => index % one === 0)
  for (const { image, promised } of images) {
    const opens = [promised, promised + 1].filter((byte) => {
      try {
        goOn(image, work(9), { ...valueOptions, encryption: encryption(byte) })
        return true
      } catch (error) {
        if (!String(error).includes("another key")) throw error
        return false
      }
    })
    assert.lengthOf(opens, 1, "one of both master keys opens it")
  }
  return images.length
}
