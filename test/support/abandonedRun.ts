// Runs `abandoned.ts` in a process of its own, and says what is left behind: nothing.
import { execFile } from "node:child_process"
import { fileURLToPath, pathToFileURL } from "node:url"
import { promisify } from "node:util"
import { assert } from "@effect/vitest"
import { bundledProgram } from "./bundledProgram.ts"
import { steadyFlags } from "./steadyFlags.ts"

const run = promisify(execFile)

/** Of 10,000. Fewer leave as much code that ran late for the first time. */
const bytesEachMax = 200
const measuredMin = 10_000

export interface Abandoned {
  readonly count: number
  readonly bytesEach: number
  readonly seconds: number
}

export const abandonedProgram = () => bundledProgram(new URL("abandoned.ts", import.meta.url))

/** Memory is judged of many alone. */
export const abandonedRun = async (program: string, count: number, seed: number): Promise<Abandoned> => {
  const worker = pathToFileURL(fileURLToPath(new URL("jobWorker.js", pathToFileURL(program)))).href
  const args = ["--expose-gc", ...steadyFlags, program, `${count}`, `${seed}`, worker]
  const { stdout } = await run(process.execPath, args, { timeout: 600_000 })
  const { after, before, bytesEach, closedAfter, closedBefore, seconds } = JSON.parse(stdout)
  assert.deepStrictEqual(after, before, `seed ${seed}: left behind while it is open`)
  assert.deepStrictEqual(closedAfter, closedBefore, `seed ${seed}: left behind after the close`)
  if (count >= measuredMin) assert.isAtMost(bytesEach, bytesEachMax, `seed ${seed}: bytes of each`)
  return { count, bytesEach, seconds }
}
