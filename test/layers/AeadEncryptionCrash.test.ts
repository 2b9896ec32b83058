// Power loss at every step of every change of keys. The keyring alone; rotations of a whole database, with the data
// that they rewrite, are in test/keyRotation*.test.ts.
//
// What an image must open with: the old key before a change of the master key returned, the new one after, one of the
// two in between; and with whichever opens it, every file that was sealed before, in a generation that was not
// forgotten.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { keyringFileName } from "../../src/internal/format/fileName.ts"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import type { FaultRule } from "../../src/layers/SimFaults.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import type { SyncModel } from "../../src/internal/structure/simulatedFiles.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { CountingCipher, rawMaster, rotated } from "../support/encryption.ts"
import { freshImages, type Image, tagOf } from "../support/fileSession.ts"
import { attach, directory, keep, type Keyed, type Kept, Numbers, opens, ringNames } from "../support/keyChanges.ts"

interface Expected {
  /** Master keys of which exactly one opens it. None: there may be no keyring yet. */
  readonly masters: ReadonlyArray<number>
  readonly mayBeAbsent: boolean
  /** Files that must open. */
  readonly kept: ReadonlyArray<Kept>
}

interface Cut {
  readonly image: Image
  readonly where: string
  readonly expected: Expected
}

/** What is promised now. */
class Promised {
  masters: ReadonlyArray<number>
  mayBeAbsent: boolean
  kept: ReadonlyArray<Kept> = []
  constructor(masters: ReadonlyArray<number>, mayBeAbsent: boolean) {
    this.masters = masters
    this.mayBeAbsent = mayBeAbsent
  }
  now(): Expected {
    return { masters: this.masters, mayBeAbsent: this.mayBeAbsent, kept: this.kept }
  }
  text(): string {
    return `${this.masters.join()} ${this.mayBeAbsent} ${this.kept.length}`
  }
}

interface Campaign {
  readonly seen: Set<string>
  readonly cipher: CountingCipher
  images: number
}

const newCampaign = (): Campaign => ({ seen: new Set(), cipher: new CountingCipher(), images: 0 })

/** Runs with a disk whose power is cut after every call; every distinct image that it could leave is collected. */
const cutting = (
  campaign: Campaign,
  promise: Promised,
  options: SimDisk.SimDiskOptions & { readonly seed: number; readonly name: string }
) => {
  const cuts: Array<Cut> = []
  const sim: SimDisk.SimDisk = SimDisk.make({
    ...options,
    onOperation: (index, operation, path) => {
      for (const { image, outcome } of freshImages(sim.files, campaign.seen, {
        promised: promise.text(),
        seed: options.seed * 1000 + index
      })) {
        const where = `${options.name}, after ${index} ${operation} ${path}; ${outcome}`
        cuts.push({ image, where, expected: promise.now() })
      }
    }
  })
  return { sim, cuts }
}

const running = (name: string, body: Effect.Effect<void, unknown>, seed: number): void => {
  const exit = SimScheduler.run(body, { seed })
  if (exit._tag !== "Success") assert.fail(`${name}: ${exit.cause.toString()}`)
}

/** Rotations, additions and forgetting, in an order that the seed chooses; each is tried to its end. */
const changes = (
  { cipher }: Campaign,
  promise: Promised,
  run: { readonly sim: SimDisk.SimDisk; readonly seed: number }
) =>
  Effect.gen(function* () {
    const { seed, sim } = run
    const { allocate } = new Numbers()
    const random = new SeededRandom(seed)
    yield* sim.disk.makeDirectory(directory)
    yield* sim.disk.syncDirectory("/")
    const keyed = yield* attach(sim.disk, rawMaster(1), { seed, cipher })
    yield* keyed.attached.persist(allocate)
    promise.mayBeAbsent = false
    promise.kept = [yield* keep(keyed, 1)]
    for (let step = 2; step < 8; step++) {
      const kind = random.pick(["master", "master", "data", "data", "forget"] as const)
      if (kind === "master") {
        promise.masters = [...promise.masters, step]
        const done = yield* tagOf(rotated(keyed.keys, rawMaster(step), allocate))
        if (done === "success") promise.masters = [step]
      } else if (kind === "data") {
        yield* tagOf(keyed.keys.addDataKey({ sequence: step }, allocate))
      } else {
        const current = keyed.attached.keyGeneration()
        promise.kept = promise.kept.filter(({ file }) => file.keyGeneration >= current)
        yield* tagOf(keyed.keys.forgetBelow(current, allocate))
      }
      promise.kept = [...promise.kept, yield* keep(keyed, step)]
    }
  }).pipe(Effect.scoped)

/** Opens the image with what it must open with, and with nothing else; then changes it again. */
const judged = (cut: Cut, { cipher }: Campaign, disk = MemoryDisk.fromImage(cut.image).disk) =>
  Effect.gen(function* () {
    const { kept, masters, mayBeAbsent } = cut.expected
    // Without a keyring that is known to be durable there is no marker: the creation is done anew, whatever is there.
    if (mayBeAbsent) return
    const opened: Array<number> = []
    for (const master of [...masters, 99]) {
      const tag = yield* tagOf(Effect.scoped(attach(disk, rawMaster(master))))
      if (tag === "success") opened.push(master)
      else assert.strictEqual(tag, "EncryptionKeyMismatch", cut.where)
    }
    assert.strictEqual(opened.length, 1, `${cut.where}: opened with ${opened.join()} of ${masters.join()}`)
    const keyed = yield* attach(disk, rawMaster(opened[0]!), { cipher, sealedWith: 20 })
    yield* holds(cut, keyed, kept)
    const { allocate } = new Numbers(1000)
    yield* keyed.attached.persist(allocate)
    assert.strictEqual((yield* ringNames(disk)).length, 1, `${cut.where}: keyrings left over`)
    yield* keyed.keys.addDataKey({ sequence: 1 }, allocate)
    yield* holds(cut, keyed, kept)
    yield* holds(cut, yield* attach(disk, rawMaster(opened[0]!)), [...kept, yield* keep(keyed, 200)])
  }).pipe(Effect.scoped)

const holds = (cut: Cut, keyed: Keyed, kept: ReadonlyArray<Kept>): Effect.Effect<void, DatabaseError> =>
  Effect.forEach(
    kept,
    (one) =>
      Effect.map(opens(keyed, one), (opened) =>
        assert.isTrue(opened, `${cut.where}: a file of data key ${one.file.keyGeneration} does not open`)
      ),
    { discard: true }
  )

/** One run, and the judgement of all that it could leave; and of some, what opening them could leave again. */
const keyRun = (
  seed: number,
  campaign: Campaign,
  options: Pick<SimDisk.SimDiskOptions, "faults" | "ignoresSync"> = {}
): void => {
  const promise = new Promised([1], true)
  const name = `seed ${seed}`
  const { cuts, sim } = cutting(campaign, promise, { ...options, seed, name })
  running(name, changes(campaign, promise, { sim, seed }), seed)
  assert.deepStrictEqual(sim.openHandles(), [], `${name} leaks`)
  for (const [index, cut] of cuts.entries()) {
    campaign.images += 1
    running(cut.where, judged(cut, campaign), 1)
    if (index % 12 === seed % 12 && !cut.expected.mayBeAbsent) nested(cut, campaign)
  }
}

/** The power is cut again while the first open after the crash repairs what it found. */
const nested = (cut: Cut, campaign: Campaign): void => {
  const promise = new Promised(cut.expected.masters, false)
  promise.kept = cut.expected.kept
  const { cuts, sim } = cutting(campaign, promise, { image: cut.image, seed: 1, name: `${cut.where}; again` })
  const repair = Effect.gen(function* () {
    for (const master of cut.expected.masters) {
      const found = yield* Effect.result(attach(sim.disk, rawMaster(master)))
      if (found._tag === "Success") yield* found.success.attached.persist(new Numbers(500).allocate)
    }
  })
  running(cut.where, Effect.scoped(repair), 1)
  for (const again of cuts) {
    campaign.images += 1
    running(again.where, judged(again, campaign), 1)
  }
}

/** The process is killed at a call of the device; what the system has in memory stays, until the power is cut. */
class Killed extends Error {}

/**
 * Killed amid a change of keys, then opened again, which must make durable what it found before it seals by it; and
 * then the power is cut. False if the change had ended before the call.
 */
const killedRun = (at: number, change: (keyed: Keyed, numbers: Numbers) => Effect.Effect<unknown, DatabaseError>) => {
  const campaign = newCampaign()
  let armed = false
  let left = at
  const sim: SimDisk.SimDisk = SimDisk.make({
    onOperation: () => {
      if (armed && left-- <= 0) throw new Killed("killed")
    }
  })
  const name = `killed at call ${at} of the change`
  const promise = new Promised([1, 2], false)
  let ended = false
  const first = Effect.gen(function* () {
    const numbers = new Numbers()
    yield* sim.disk.makeDirectory(directory)
    yield* sim.disk.syncDirectory("/")
    const keyed = yield* attach(sim.disk, rawMaster(1), {})
    yield* keyed.attached.persist(numbers.allocate)
    promise.kept = [yield* keep(keyed, 1)]
    armed = true
    yield* change(keyed, numbers)
    ended = true
  }).pipe(Effect.scoped, Effect.exit)
  running(name, first, at)
  armed = false
  const again = Effect.gen(function* () {
    for (const master of [1, 2]) {
      const found = yield* Effect.result(attach(sim.disk, rawMaster(master)))
      if (found._tag === "Failure") continue
      yield* found.success.attached.persist(new Numbers(100).allocate)
      promise.masters = [master]
      promise.kept = [...promise.kept, yield* keep(found.success, 2)]
    }
  })
  running(name, Effect.scoped(again), at)
  assert.strictEqual(promise.kept.length, 2, name)
  for (const { image, outcome } of freshImages(sim.files, campaign.seen, { promised: "", seed: at })) {
    const cut = { image, where: `${name}; ${outcome}`, expected: promise.now() }
    running(cut.where, judged(cut, campaign), 1)
  }
  return !ended
}

const imagesMin = 600

describe("AeadEncryption, the power cut after every call of the device amid changes of keys", () => {
  it(`${imagesMin} images open with the right key, and every file in them; no nonce comes twice`, () => {
    const campaign = newCampaign()
    for (let seed = 1; campaign.images < imagesMin; seed++) keyRun(seed, campaign)
    assert.isAbove(campaign.cipher.encryptions, imagesMin)
  })

  it.each([
    ["another master key", (keyed: Keyed, { allocate }: Numbers) => rotated(keyed.keys, rawMaster(2), allocate)],
    ["another data key", (keyed: Keyed, { allocate }: Numbers) => keyed.keys.addDataKey({ sequence: 1 }, allocate)]
  ] as const)("what an open finds after a kill is durable before anything is sealed by it: %s", (_, change) => {
    let calls = 0
    while (killedRun(calls, change)) calls += 1
    assert.isAtLeast(calls, 9)
  })

  it("a change that returned leaves one keyring, whatever the power cut does: the old one is gone for good", () => {
    const sim = SimDisk.make()
    const body = Effect.gen(function* () {
      const { allocate } = new Numbers()
      yield* sim.disk.makeDirectory(directory)
      yield* sim.disk.syncDirectory("/")
      const { attached, keys } = yield* attach(sim.disk, rawMaster(1), {})
      const changes = [
        attached.persist(allocate),
        rotated(keys, rawMaster(2), allocate),
        keys.addDataKey({ sequence: 1 }, allocate),
        keys.forgetBelow(2, allocate)
      ]
      for (const [index, change] of changes.entries()) {
        yield* change
        for (const { image } of freshImages(sim.files, new Set(), { promised: "", seed: index })) {
          assert.deepStrictEqual([...image.keys()], [`${directory}/${keyringFileName(index + 1)}`])
        }
      }
    })
    running("returned", Effect.scoped(body), 1)
  })

  it("a removal that failed is reported, and made up for when the keyring is persisted again", () => {
    const sim = SimDisk.make()
    const body = Effect.gen(function* () {
      const { allocate } = new Numbers()
      yield* sim.disk.makeDirectory(directory)
      const { attached, keys } = yield* attach(sim.disk, rawMaster(1), {})
      yield* attached.persist(allocate)
      sim.addFault({ code: "EIO", match: (operation) => operation === "remove" })
      assert.strictEqual(yield* tagOf(keys.addDataKey({ sequence: 1 }, allocate)), "Io")
      // The new one was durable: it holds.
      assert.strictEqual(attached.keyGeneration(), 2)
      assert.strictEqual((yield* ringNames(sim.disk)).length, 2)
      yield* attached.persist(allocate)
      assert.deepStrictEqual(yield* ringNames(sim.disk), [keyringFileName(3)])
      assert.strictEqual((yield* attach(sim.disk, rawMaster(1))).attached.keyGeneration(), 2)
    })
    running("removal", Effect.scoped(body), 1)
  })

  it.each(["dropped", "reverted", "written"] as const)(
    "also where a sync fails, and what it was to write is %s",
    (model) => {
      const campaign = newCampaign()
      for (let seed = 1; seed <= 3; seed++) keyRun(seed, campaign, { faults: [failingSync(seed, model)] })
      assert.isAbove(campaign.images, 100)
    }
  )

  it.each(["create", "append", "open", "read", "closeAppend", "remove"] as const)("also where %s fails", (failing) => {
    const campaign = newCampaign()
    for (let seed = 1; seed <= 2; seed++) {
      let count = 0
      const match = (operation: string, path: string) =>
        operation === failing && path.endsWith(".ring") && ++count === seed + 1
      keyRun(seed, campaign, { faults: [{ code: "EIO", bytesAccepted: 100, match }] })
    }
    assert.isAbove(campaign.images, 50)
  })

  it.each([
    ["missing sync", (operation: string) => operation === "sync"],
    ["missing directory sync", (operation: string, path: string) => operation === "syncDirectory" && path === directory]
  ])("a %s would be noticed", (_, ignoresSync) => {
    const campaign = newCampaign()
    assert.throws(() => {
      for (let seed = 1; seed <= 8; seed++) keyRun(seed, campaign, { ignoresSync })
    })
  })
})

/** One sync of a keyring, or of its directory, of those after the first keyring. */
const failingSync = (seed: number, syncModel: SyncModel): FaultRule => {
  let count = 0
  return {
    code: "EIO",
    syncModel,
    match: (operation, path) =>
      (operation === "sync" || (operation === "syncDirectory" && path === directory)) && ++count === seed + 3
  }
}
