// All workloads, in the order of the table.
import { groups as bigDatabase } from "./bigDatabase.ts"
import { groups as curve } from "./curve.ts"
import { groups as durable } from "./durable.ts"
import { groups as hotReads } from "./hotReads.ts"
import { groups as gigabyte } from "./gigabyte.ts"
import { groups as importing } from "./importing.ts"
import { groups as large } from "./large.ts"
import { groups as openings } from "./openings.ts"
import { groups as sealed } from "./sealed.ts"
import { groups as sustained } from "./sustained.ts"
import { groups as values } from "./values.ts"
import type { Group, Scale } from "./workload.ts"
import { groups as writes } from "./writes.ts"

export const groups: ReadonlyArray<Group> = [
  ...hotReads,
  ...writes,
  ...values,
  ...durable,
  ...bigDatabase,
  ...sustained,
  ...gigabyte,
  ...sealed,
  ...openings,
  ...importing,
  ...curve,
  ...large
]

export const scales: { readonly full: Scale; readonly quick: Scale } = {
  full: {
    smallKeys: 10_000,
    mediumKeys: 100_000,
    bigKeys: 1_000_000,
    hugeKeys: 10_000_000,
    gigabyteKeys: 1_000_000,
    fillKeys: 2_000_000,
    replayKeys: 700_000,
    openTables: 10_000,
    sustainedKeys: 1_000_000,
    sustainedPasses: 4,
    gets: 200_000,
    sets: 100_000,
    largeSets: 40_000,
    batches: 200,
    transactions: 10_000,
    durableSets: 3000,
    capMillis: 2000
  },
  quick: {
    smallKeys: 10_000,
    mediumKeys: 50_000,
    bigKeys: 200_000,
    hugeKeys: 1_000_000,
    gigabyteKeys: 100_000,
    fillKeys: 300_000,
    replayKeys: 100_000,
    openTables: 1000,
    sustainedKeys: 200_000,
    sustainedPasses: 4,
    gets: 100_000,
    sets: 30_000,
    largeSets: 10_000,
    batches: 50,
    transactions: 5000,
    durableSets: 1000,
    capMillis: 1000
  }
}
