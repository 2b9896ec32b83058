// Power cuts around the ballast: while it is made, while it is given up, and while an open removes what was left of it;
// with all values in tables, and with most of them in value files.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { ballastsOn, fill } from "./support/ballastRun.ts"
import * as NoCompression from "../src/layers/NoCompression.ts"
import { type Opened, type OpenOptions, smallOptions, visibleImage } from "./support/opened.ts"
import {
  type Cut,
  cuttingDisk,
  distinct,
  type Image,
  numbered,
  pathsOf,
  reasonOf,
  simulate,
  stateOf,
  using
} from "./support/scenario.ts"

const common: OpenOptions = {
  ...smallOptions,
  compression: NoCompression.layer,
  manifestBytesMax: 4096,
  valueBytesMax: 400,
  ballastLiveBytesMin: 4096
}
const kinds = [
  { where: "tables", options: common },
  { where: "value files", options: { ...common, valueThreshold: 100, valueFileBytesMax: 4096 } }
]
/** What a flush of a memtable takes. */
const ballastBytes = 2560
const keys = numbered(100)

/** A few KiB in tables, and the second in which the ballast is not made yet. */
const prepared = Effect.fnUntraced(function* ({ database, maintenance }: Opened) {
  for (const key of keys) yield* database.set(key, key.repeat(20), { durability: "os" })
  yield* maintenance.compact()
})

const reopened = (image: Image, options: OpenOptions) => {
  const device = SimDisk.make({ image })
  const found = simulate(
    using(
      device,
      (opened) =>
        Effect.gen(function* () {
          const state = yield* stateOf(opened.database)
          assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
          yield* Effect.sleep("5 seconds")
          assert.deepStrictEqual(ballastsOn(device), [ballastBytes], "taken over, or made again")
          yield* opened.database.set("after", "1")
          return Object.keys(state)
        }),
      options
    )
  )
  assert.deepStrictEqual(device.openHandles(), [])
  return found
}

const judge = (cuts: ReadonlyArray<Cut>, options: OpenOptions, wanted: (cut: Cut) => ReadonlyArray<string>) => {
  const images = distinct(cuts)
  let leftovers = 0
  for (const cut of images) {
    if (pathsOf(cut.image, "ballast").length > 0) leftovers += 1
    try {
      assert.deepStrictEqual(reopened(cut.image, options), wanted(cut))
    } catch (error) {
      throw new Error(cut.where, { cause: error })
    }
  }
  assert.isAbove(leftovers, 0, "some cuts leave a ballast, or a part of it")
  assert.isBelow(leftovers, images.length, "and some do not")
}

describe.each(kinds)("a power cut, with values in $where", ({ options }) => {
  it("while the ballast is made leaves the database, and what is left is taken over or made again", () => {
    const { cuts, device, state } = cuttingDisk()
    state.on = false
    const body = (opened: Opened) =>
      Effect.gen(function* () {
        yield* prepared(opened)
        state.on = true
        yield* Effect.sleep("5 seconds")
        state.on = false
        assert.deepStrictEqual(ballastsOn(device), [ballastBytes])
      })
    simulate(using(device, body, options))
    judge(cuts, options, () => keys)
  })

  it("while it is given up keeps what was acknowledged, and no commit that was refused", () => {
    const { cuts, device, state } = cuttingDisk()
    state.on = false
    const body = (opened: Opened) =>
      Effect.gen(function* () {
        yield* prepared(opened)
        yield* Effect.sleep("5 seconds")
        fill(device)
        state.on = true
        for (const [index, key] of keys.slice(0, 4).entries()) {
          assert.strictEqual((yield* reasonOf(opened.database.set(`new${index}`, "refused")))._tag, "DiskFull")
          yield* opened.database.remove(key)
          state.promised = index + 1
        }
        device.setCapacity(2 ** 40)
        yield* Effect.sleep("5 seconds")
        yield* opened.database.set("new", "1")
        state.promised = 5
        state.on = false
      })
    simulate(using(device, body, options))
    const steps = [...keys.keys()].slice(0, 5).map((removed) => keys.slice(removed))
    steps.push([...keys.slice(4), "new"])
    const promised = (cut: Cut) => {
      // What was under way when the power failed may be there.
      const found = Object.keys(
        simulate(using(SimDisk.make({ image: cut.image }), ({ database }) => stateOf(database), options))
      )
      const [before, during] = [steps[cut.promised]!, steps[cut.promised + 1] ?? []]
      return found.join() === during.join() ? during : before
    }
    judge(cuts, options, promised)
  })

  it("while an open removes it leaves the next one a database", () => {
    const first = SimDisk.make()
    simulate(using(first, (opened) => Effect.andThen(prepared(opened), Effect.sleep("5 seconds")), options))
    assert.lengthOf(ballastsOn(first), 1)
    const { cuts, device } = cuttingDisk(visibleImage(first))
    // Recovery has enough with the ballast's room, and could not know it without.
    device.setCapacity(first.files.bytes + 4000)
    simulate(using(device, () => Effect.void, options))
    assert.deepStrictEqual(ballastsOn(device), [])
    judge(cuts, options, () => keys)
  })
})
