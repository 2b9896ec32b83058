// The most memory that the process ever had. Imported ahead of a program, `node --import`, this writes it into the file
// that the environment's STRATA_TEST_PEAK names, when the program ends.
import { existsSync, readFileSync, writeFileSync } from "node:fs"

/** Linux counts what the parent had at the fork into `maxRSS`, so the peak of this program alone is asked for first. */
export const peakBytes = (): number => {
  const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : ""
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? []
  return (kibibytes === undefined ? process.resourceUsage().maxRSS : Number(kibibytes)) * 1024
}

const file = process.env["STRATA_TEST_PEAK"]
if (file !== undefined) process.on("exit", () => writeFileSync(file, String(peakBytes())))
