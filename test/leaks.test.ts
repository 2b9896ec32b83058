// What opening and closing leaves behind: nothing. `STRATA_CYCLES=n`; 1,000 is the figure.
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const cycles = Number(process.env.STRATA_CYCLES ?? 300)
const heapBytesMax = 1024

describe("leaks", () => {
  it(`${cycles} openings and closings leave no descriptor, thread, timer or memory`, { timeout: 300_000 }, () => {
    const script = fileURLToPath(new URL("support/openCloseCycles.ts", import.meta.url))
    const output = execFileSync(process.execPath, ["--expose-gc", script, String(cycles)], { encoding: "utf8" })
    const { after, before, heapPerCycle } = JSON.parse(output)
    console.log(`heap growth per cycle: ${heapPerCycle.toFixed(0)} bytes`)
    assert.deepStrictEqual(after, before)
    assert.isAtMost(heapPerCycle, heapBytesMax)
  })
})
