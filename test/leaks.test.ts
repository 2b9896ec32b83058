// What opening and closing leaves behind: nothing. `STRATA_CYCLES=n` for a longer run.
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const cycles = Number(process.env.STRATA_CYCLES ?? 60)
/** Measured are 10 to 130: some KiB in all, of V8's own lists and code that runs late for the first time. */
const bytesPerCycleMax = 1024

// With its compilers on, V8's code is most of what is measured: it goes on optimizing for over 600 cycles (2 to 3 KiB a
// cycle at first, hardly an object among it), and at some time its cache drops 3.6 MiB of sources, which hides a leak.
const steadyFlags = [
  "--no-opt",
  "--no-maglev",
  "--no-sparkplug",
  "--no-lazy-feedback-allocation",
  "--no-flush-bytecode",
  "--no-compilation-cache"
]

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
