// Real kills: one growing store, SIGKILL at random moments, and after each everything that was acknowledged is there,
// whole, and in order.
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { killedPrograms, type Programs } from "./support/killedLife.ts"
import { check, Promised, type Store } from "./support/killedStore.ts"
import { Dice } from "./support/randomPlan.ts"

// The default run has a share; STRATA_KILLS=200 is the figure to reach.
const cycles = Number(process.env.STRATA_KILLS ?? 60)
const sealedCycles = Math.ceil(cycles / 5)
let programs: Programs
beforeAll(async () => {
  programs = await killedPrograms()
})
afterAll(() => programs.remove())

/**
 * Runs the writer, kills it a while after it has opened, or after its first commit, which may wait for a flush, and
 * returns what it printed.
 */
const runAndKill = ({ directory, sealed }: Store, run: number, dice: Dice): Promise<ReadonlyArray<string>> =>
  new Promise((resolve, reject) => {
    const given = [programs.writer, directory, String(dice.below(1e9)), String(run), ...(sealed ? ["sealed"] : [])]
    const child = spawn(process.execPath, given)
    let out = ""
    let errors = ""
    const delay = dice.below(dice.chance(20) ? 3 : 120)
    const sign = dice.chance(30) ? "open" : "ack"
    let armed = false
    child.stderr.on("data", (chunk) => (errors += chunk))
    child.stdout.on("data", (chunk) => {
      out += chunk
      if (armed || !out.includes(sign)) return
      armed = true
      setTimeout(() => child.kill("SIGKILL"), delay)
    })
    child.on("close", (code) => {
      // The last line may be cut; every whole one was printed after its acknowledgement.
      const lines = out.split("\n").slice(0, -1)
      if (code === null && lines.length > 0) resolve(lines)
      else reject(new Error(`the writer ended by itself (${code}): ${errors}`))
    })
  })

/** Kills the writer so many times, and looks after each. */
const killed = (cycles: number, sealed: boolean) =>
  Effect.gen(function* () {
    const seed = Math.floor(Math.random() * 1e9)
    const dice = new Dice(seed)
    const directory = mkdtempSync(join(tmpdir(), "strata-kill-"))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true, force: true })))
    const store = { directory, sealed }
    const promised = new Promised()
    for (let run = 0; run < cycles; run++) {
      const lines = yield* Effect.promise(() => runAndKill(store, run, dice))
      promised.note(lines)
      yield* check(store, promised).pipe(
        Effect.catchCause((cause) => Effect.die(new Error(`seed ${seed}, cycle ${run}`, { cause })))
      )
    }
    console.log(`kills: ${cycles}, commits: ${promised.commits.size}, seed ${seed}`)
    // Some are killed before their first commit.
    assert.isAbove(promised.commits.size, cycles / 4)
  })

describe("SIGKILL", () => {
  it.live(
    `${cycles} times on one growing store loses nothing that was acknowledged`,
    () => killed(cycles, false),
    1_200_000
  )

  it.live(
    `${sealedCycles} times on an encrypted one loses nothing that was acknowledged`,
    () => killed(sealedCycles, true),
    1_200_000
  )
})
