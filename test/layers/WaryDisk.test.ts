import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer } from "effect"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import * as WaryDisk from "../../src/layers/WaryDisk.ts"
import { Disk } from "../../src/services/Disk.ts"
import { range } from "../support/regressionKit.ts"
import { simulate } from "../support/scenario.ts"

const nothingKept = outcomes.find(({ data, names }) => data === "none" && names === "none")!

const wary = (device: SimDisk.SimDisk) =>
  Effect.map(Layer.build(Layer.provide(WaryDisk.layer, device.layer)), (context) => Context.get(context, Disk))

describe("WaryDisk", () => {
  it("a directory whose sync has failed is not believed again, others are", () => {
    const device = SimDisk.make()
    simulate(
      Effect.gen(function* () {
        const disk = yield* wary(device)
        for (const directory of ["/a", "/b"]) yield* disk.makeDirectory(directory)
        device.addFault({ code: "EIO", match: (operation, path) => operation === "syncDirectory" && path === "/a" })
        for (let time = 0; time < 2; time++) {
          assert.strictEqual((yield* Effect.flip(disk.syncDirectory("/a"))).code, "EIO")
        }
        yield* disk.syncDirectory("/b")
      })
    )
  })

  it("a directory that is not there had no names to lose", () => {
    const device = SimDisk.make()
    simulate(
      Effect.gen(function* () {
        const disk = yield* wary(device)
        assert.strictEqual((yield* Effect.flip(disk.syncDirectory("/a"))).code, "ENOENT")
        yield* disk.makeDirectory("/a")
        yield* disk.syncDirectory("/a")
      })
    )
  })

  it("of syncs at the same time, none succeeds for a name that another one's failure has dropped", () => {
    let succeeded = 0
    for (const seed of range(1, 200)) {
      const device = SimDisk.make()
      const results = simulate(
        Effect.gen(function* () {
          const disk = yield* wary(device)
          yield* disk.makeDirectory("/a")
          yield* disk.syncDirectory("/")
          let left = 1 + (seed % 3)
          const match = (operation: string) => operation === "syncDirectory" && --left === 0
          device.addFault({ code: "EIO", syncModel: "dropped", match })
          const writers = range(1, 3).map((number) =>
            Effect.gen(function* () {
              const name = `/a/${number}`
              const file = yield* disk.create(name)
              yield* file.close
              return { name, exit: yield* Effect.exit(disk.syncDirectory("/a")) }
            })
          )
          return yield* Effect.all(writers, { concurrency: "unbounded" })
        }),
        { seed, yieldProbability: 0.3 }
      )
      const image = device.files.crash(nothingKept, new SeededRandom(seed))
      for (const { exit, name } of results) {
        if (Exit.isFailure(exit)) continue
        succeeded += 1
        assert.isTrue(image.has(name), `seed ${seed}: ${name} was promised`)
      }
    }
    assert.isAbove(succeeded, 100)
  })
})
