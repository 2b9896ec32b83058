// What somebody begins and lets go of leaves nothing behind. The default run has a share; `STRATA_ABANDONED=10000` is
// the figure to reach, and of so many the memory is judged too.
import { afterAll, beforeAll, describe, it } from "@effect/vitest"
import { abandonedProgram, abandonedRun } from "./support/abandonedRun.ts"

const count = Number(process.env.STRATA_ABANDONED ?? 1000)
const seed = Number(process.env.STRATA_SEED ?? Math.floor(Math.random() * 1e9))

describe("abandoned", () => {
  let program: Awaited<ReturnType<typeof abandonedProgram>>
  beforeAll(async () => {
    program = await abandonedProgram()
  })
  afterAll(() => program.remove())

  it(
    `${count} cursors, snapshots, transactions, streams and writes leave no descriptor, pin, timer or fiber`,
    async () => console.log(JSON.stringify({ seed, ...(await abandonedRun(program.program, count, seed)) })),
    600_000
  )
})
