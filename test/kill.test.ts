// Real kills: one growing store, SIGKILL at random moments, and after each everything that was acknowledged is there,
// whole, and in order.
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Stream } from "effect"
import * as LsmDatabase from "../src/layers/LsmDatabase.ts"
import { Database } from "../src/services/Database.ts"
import { sealedBy } from "./support/nonceLedger.ts"
import { Dice } from "./support/randomPlan.ts"

// The default run has a share; STRATA_KILLS=200 is the figure to reach.
const cycles = Number(process.env.STRATA_KILLS ?? 60)
const sealedCycles = Math.ceil(cycles / 5)
const writer = fileURLToPath(new URL("./support/killedWriter.ts", import.meta.url))

interface Acknowledged {
  readonly sequence: number
  readonly durability: string
}

interface Store {
  readonly directory: string
  readonly sealed: boolean
}

/**
 * Runs the writer, kills it a while after it has opened, or after its first commit, which may wait for a flush, and
 * returns what it printed.
 */
const runAndKill = ({ directory, sealed }: Store, run: number, dice: Dice): Promise<ReadonlyArray<string>> =>
  new Promise((resolve, reject) => {
    const given = [writer, directory, String(dice.below(1e9)), String(run), ...(sealed ? ["sealed"] : [])]
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

/**
 * Everything in the store, checked against what was acknowledged so far. Returns the ids found with their sequences.
 */
const check = ({ directory, sealed }: Store, acknowledged: ReadonlyMap<string, Acknowledged>) =>
  Effect.gen(function* () {
    const database = yield* Database
    const parts = new Map<string, number>()
    yield* Stream.runForEach(database.scan({ prefix: "data/" }), ({ key, value }) =>
      Effect.sync(() => {
        const id = new TextDecoder().decode(key).split("/")[1]!
        parts.set(id, (parts.get(id) ?? 0) + 1)
        assert.isTrue(new TextDecoder().decode(value.subarray(0, 40)).startsWith(`${id}/`), `a value of commit ${id}`)
      })
    )
    const found = new Map<string, number>()
    for (const entry of yield* Stream.runCollect(database.scan({ prefix: "commit/" }))) {
      const [id = "", many = ""] = new TextDecoder().decode(entry.value).split("/")
      found.set(id, entry.sequence)
      assert.strictEqual(parts.get(id), Number(many), `commit ${id} is partial`)
      parts.delete(id)
    }
    assert.deepStrictEqual([...parts.keys()], [], "data without its commit")
    const last = [...found.values()].reduce((a, b) => Math.max(a, b), 0)
    for (const [id, { durability, sequence }] of acknowledged) {
      const lost = found.get(id) !== sequence
      if (!lost) continue
      assert.strictEqual(durability, "buffered", `${durability} commit ${id} (${sequence}) is lost`)
      assert.isAbove(sequence, last, `a hole: commit ${id} (${sequence}) is missing before ${last}`)
    }
    return found
  }).pipe(
    Effect.provide(LsmDatabase.layer({ directory, encryption: sealed ? sealedBy() : undefined })),
    Effect.provide(Logger.layer([]))
  )

/** Kills the writer so many times, and looks after each. */
const killed = (cycles: number, sealed: boolean) =>
  Effect.gen(function* () {
    const seed = Math.floor(Math.random() * 1e9)
    const dice = new Dice(seed)
    const directory = mkdtempSync(join(tmpdir(), "strata-kill-"))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true, force: true })))
    const store = { directory, sealed }
    const acknowledged = new Map<string, Acknowledged>()
    for (let run = 0; run < cycles; run++) {
      const lines = yield* Effect.promise(() => runAndKill(store, run, dice))
      for (const line of lines) {
        const [word, id = "", sequence, durability = ""] = line.split(" ")
        if (word === "ack") acknowledged.set(id, { sequence: Number(sequence), durability })
      }
      const found = yield* check(store, acknowledged).pipe(
        Effect.catchCause((cause) => Effect.die(new Error(`seed ${seed}, cycle ${run}`, { cause })))
      )
      // What is there now was found after a recovery and a clean close: from here on it must stay. What is not may be
      // forgotten.
      acknowledged.clear()
      for (const [id, sequence] of found) acknowledged.set(id, { sequence, durability: "disk" })
    }
    console.log(`kills: ${cycles}, commits: ${acknowledged.size}, seed ${seed}`)
    assert.isAbove(acknowledged.size, cycles)
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
