// Devices that lie, and devices that forget, by a seed: which rule a run has, and how the run ended.
import type { DeviceRule } from "../../src/layers/SimFaults.ts"
import type { Reason } from "../../src/services/DatabaseError.ts"
import { type DeviceRun, deviceRun } from "./deviceRun.ts"
import { Dice } from "./randomPlan.ts"

const kinds = ["lost", "misdirected", "copied", "duplicated", "flipped"] as const
export type LieKind = (typeof kinds)[number]

/** How a run with a lie ended. */
export type Ending = "detected" | "harmless" | "not told"

/** Damage that was found, or what follows from it. */
const blames: ReadonlySet<Reason["_tag"]> = new Set([
  "Corruption",
  "Tampered",
  "Unsupported",
  "Poisoned",
  "CommitOutcomeUnknown",
  "Closed"
])

const files = ["", "", "/log-", "/table-", "/value-", "/manifest-", "/current-", "/keyring-"]

const kindOf = (seed: number): LieKind => kinds[seed % kinds.length]!

/** The rule of a seed; none needs to strike. */
export const lieOf = (seed: number): DeviceRule => {
  const kind = kindOf(seed)
  const dice = new Dice(seed * 7919 + kinds.indexOf(kind))
  const pathPart = dice.pick(files)
  if (kind === "flipped") return { at: 10 + dice.below(300), flip: dice.below(1e9), within: pathPart }
  // The fewer files of a kind there are, the earlier.
  const skip = dice.below(pathPart === "" ? 80 : dice.pick([2, 8, 30]))
  const rule = { operation: "append", pathPart, skip, lie: kind, seed: dice.below(1e9) } as const
  // From then on all of them, now and then.
  return { ...rule, sticky: dice.chance(20) }
}

/** `count`: how many lies the device may tell. */
export const lieRun = (seed: number, count = 1): DeviceRun & { readonly ending: Ending } => {
  const rules = Array.from({ length: count }, (_, index) => lieOf(seed + index))
  const encrypted = new Dice(seed).chance(25)
  try {
    const run = deviceRun({ seed, rules, blames, patienceMillis: 600_000, encrypted, expiring: seed % 4 < 2 })
    const ending = run.strikes.length === 0 ? "not told" : run.noticed.length > 0 ? "detected" : "harmless"
    return { ...run, ending }
  } catch (cause) {
    throw new Error(`seed ${seed}: ${JSON.stringify(rules)}`, { cause })
  }
}
