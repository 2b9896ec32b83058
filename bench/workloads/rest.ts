// When a process has nothing more to do. Engines do not say when their background work is done, or not in the same
// words; but all of it takes processor time of this process.
import { setTimeout as sleep } from "node:timers/promises"

const pollMillis = 50
const quietMillis = 1000
/** Of one core. An idle Node process takes less than a tenth of this. */
const quietShare = 0.03

/**
 * Waits for a second in which the process was quiet. Returns when that second began, as `performance.now()` tells time.
 */
export const untilRest = async (): Promise<number> => {
  const samples: Array<{ readonly at: number; readonly cpuMillis: number }> = []
  for (;;) {
    const { system, user } = process.cpuUsage()
    const now = { at: performance.now(), cpuMillis: (system + user) / 1000 }
    samples.push(now)
    while (now.at - samples[0]!.at > quietMillis + 2 * pollMillis) samples.shift()
    const first = samples[0]!
    const millis = now.at - first.at
    if (millis >= quietMillis && now.cpuMillis - first.cpuMillis < millis * quietShare) return first.at
    await sleep(pollMillis)
  }
}
