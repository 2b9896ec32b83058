// What opening and closing leaves behind: nothing. `STRATA_CYCLES=n` for a longer run.
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { steadyFlags } from "./support/steadyFlags.ts"

const cycles = Number(process.env.STRATA_CYCLES ?? 60)
/** Measured are 10 to 130: some KiB in all, of V8's own lists and code that runs late for the first time. */
const bytesPerCycleMax = 1024

describe("leaks", () => {
  it(`${cycles} openings and closings leave no descriptor, thread, timer or memory`, { timeout: 300_000 }, () => {
    const script = fileURLToPath(new URL("support/openCloseCycles.ts", import.meta.url))
    const flags = ["--expose-gc", ...steadyFlags]
    const output = execFileSync(process.execPath, [...flags, script, String(cycles)], { encoding: "utf8" })
    const { after, before, bytesPerCycle } = JSON.parse(output)
    console.log(`memory growth per cycle: ${bytesPerCycle.toFixed(0)} bytes`)
    assert.deepStrictEqual(after, before)
    assert.isAtMost(bytesPerCycle, bytesPerCycleMax)
  })
})
