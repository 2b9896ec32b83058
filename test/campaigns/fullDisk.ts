// Disks that are really full (`support/fullDisk.ts`): a small file system in memory, or every third time, and where
// none can be mounted, a budget of bytes. A round is one. When the threads of a database run is not the seed's alone.
import { bundledProgram, programOnce } from "../support/bundledProgram.ts"
import { canMount, fullDiskRun } from "../support/fullDiskRun.ts"
import type { Campaign } from "./campaign.ts"

const ready = programOnce(() => bundledProgram(new URL("../support/fullDisk.ts", import.meta.url)))

export const fullDisk: Campaign = {
  name: "full-disk",
  about: "disks that are really full, and have room again: by others, or by removals",
  weight: 2,
  round: async (seed, tally) => {
    const isBudget = seed % 3 === 0 || !canMount()
    const room = seed % 2 === 0 ? "others" : "removals"
    const bytes = 2_000_000 + (seed % 7) * 500_000
    const happened = await fullDiskRun(await ready(), { bytes, isBudget, sealed: seed % 5 === 0, seed, room })
    tally.add("full disks")
    tally.add("writes that a full disk refused", happened.refused)
    if (!isBudget) tally.add("full disks on a file system of their own")
    tally.reach(room === "others" ? "a full disk on which others make room" : "a full disk on which removals make room")
    if (happened.resumedMillis < 1000) tally.reach("writing that goes on within a second of room")
  }
}
