// All campaigns, in the order of the final table; one a line, to merge easily.
import { abandoned } from "./abandoned.ts"
import type { Campaign } from "./campaign.ts"
import { checkpoints } from "./checkpoints.ts"
import { clock, latency, lies } from "./devices.ts"
import { faults } from "./faults.ts"
import { fullDisk } from "./fullDisk.ts"
import { histories, historiesReal } from "./histories.ts"
import { killedWorkers } from "./killedWorkers.ts"
import { kills } from "./kills.ts"
import { log, manifest } from "./logAndManifest.ts"
import { powerCuts } from "./powerCuts.ts"
import { rotation } from "./rotation.ts"
import { simulation } from "./simulation.ts"
import { tampering } from "./tampering.ts"
import { visibility } from "./visibility.ts"

export const campaigns: ReadonlyArray<Campaign> = [
  simulation,
  powerCuts,
  visibility,
  log,
  manifest,
  rotation,
  checkpoints,
  faults,
  tampering,
  killedWorkers,
  kills,
  fullDisk,
  abandoned,
  histories,
  historiesReal,
  lies,
  latency,
  clock
]
