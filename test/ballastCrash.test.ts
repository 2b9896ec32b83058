// Power cuts around the ballast: while it is made, while it is given up, and while an open removes what was left of it.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { ballastsOn, fill } from "./support/ballastRun.ts"
import { type Opened, smallOptions } from "./support/opened.ts"
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

const options = { ...smallOptions, manifestBytesMax: 4096, valueBytesMax: 400, ballastLiveBytesMin: 4096 }
const keys = numbered(100)

/** A few KiB in tables, and the second in which the ballast is not made yet. */
const prepared = Effect.fnUntraced(function* ({ database, maintenance }: Opened) {
  for (const key of keys) yield* database.set(key, key.repeat(20), { durability: "os" })
  yield* maintenance.compact()
})

const reopened = (image: Image) => {
  const device = SimDisk.make({ image })
  const found = simulate(
    using(
      device,
      (opened) =>
        Effect.gen(function* () {
          const state = yield* stateOf(opened.database)
          assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
          assert.deepStrictEqual(ballastsOn(device), [], "what was left is gone")
          yield* Effect.sleep("5 seconds")
          assert.lengthOf(ballastsOn(device), 1, "and there is another one")
          yield* opened.database.set("after", "1")
          return Object.keys(state)
        }),
      options
    )
  )
  assert.deepStrictEqual(device.openHandles(), [])
  return found
}

const judge = (cuts: ReadonlyArray<Cut>, wanted: (cut: Cut) => ReadonlyArray<string>) => {
  const images = distinct(cuts)
  let leftovers = 0
  for (const cut of images) {
    if (pathsOf(cut.image, "ballast").length > 0) leftovers += 1
    try {
      assert.deepStrictEqual(reopened(cut.image), wanted(cut))
    } catch (error) {
      throw new Error(cut.where, { cause: error })
    }
  }
  assert.isAbove(leftovers, 0, "some cuts leave a ballast, or a part of it")
  assert.isBelow(leftovers, images.length, "and some do not")
}

describe("a power cut", () => {
  it("while the ballast is made leaves the database, and nothing of it after the next open", () => {
    const { cuts, device, state } = cuttingDisk()
    state.on = false
    const body = (opened: Opened) =>
      Effect.gen(function* () {
        yield* prepared(opened)
        state.on = true
        yield* Effect.sleep("5 seconds")
        state.on = false
        assert.lengthOf(ballastsOn(device), 1)
      })
    simulate(using(device, body, options))
    judge(cuts, () => keys)
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
    judge(cuts, promised)
  })

  it("while an open removes it leaves the next one a database", () => {
    const first = SimDisk.make()
    simulate(using(first, (opened) => Effect.andThen(prepared(opened), Effect.sleep("5 seconds")), options))
    assert.lengthOf(ballastsOn(first), 1)
    const image: Image = new Map(
      first.files.list("/db").flatMap(({ kind, name }) => {
        const path = `/db/${name}`
        return kind === "file"
          ? [[path, first.files.file(path).content.view(0, first.files.file(path).visibleSize)]]
          : []
      })
    )
    const { cuts, device } = cuttingDisk(image)
    simulate(using(device, () => Effect.void, options))
    judge(cuts, () => keys)
  })
})
