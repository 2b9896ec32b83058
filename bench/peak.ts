// The most memory that this process had resident since it was last asked, as Linux counts it; elsewhere the most ever.
import { readFileSync, writeFileSync } from "node:fs"

/** What makes the kernel forget the peak, written to `clear_refs`. */
const forgetPeak = "5"

export const takePeakBytes = (): number => {
  try {
    const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))!
    writeFileSync("/proc/self/clear_refs", forgetPeak)
    return Number(kibibytes) * 1024
  } catch {
    return process.resourceUsage().maxRSS * 1024
  }
}
