// A disk that is really full: a small file system in memory where one can be mounted, else a budget of bytes. Nothing
// is lost, reads go on, and so does writing when there is room. `npm run torture -- --only full-disk` goes on.
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { bundledProgram } from "./support/bundledProgram.ts"
import { canMount, fullDiskRun } from "./support/fullDiskRun.ts"

const seed = Number(process.env.STRATA_SEED ?? Math.floor(Math.random() * 1e9))

describe(`a full disk of the machine, seed ${seed}`, () => {
  let program: Awaited<ReturnType<typeof bundledProgram>>
  beforeAll(async () => {
    program = await bundledProgram(new URL("./support/fullDisk.ts", import.meta.url))
  })
  afterAll(() => program.remove())

  for (const room of ["others", "removals"] as const) {
    it(`refuses writes, and takes them again when ${room} make room`, async () => {
      const isBudget = !canMount()
      const happened = await fullDiskRun(program.program, { bytes: 2_000_000, isBudget, sealed: false, seed, room })
      console.log(`${isBudget ? "a budget" : "a file system"}: ${JSON.stringify(happened)}`)
      assert.isAbove(happened.refused, 50)
    }, 120_000)
  }
})
