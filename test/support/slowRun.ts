// Slow devices and clocks that jump, by a seed. Nothing fails then: whatever is asked is done, however long it takes,
// and at any time of day. Writers that lose their patience meanwhile leave whole commits, or none.
import type { DeviceRule } from "../../src/layers/SimFaults.ts"
import type { Reason } from "../../src/services/DatabaseError.ts"
import { type DeviceRun, deviceRun } from "./deviceRun.ts"
import { Dice } from "./randomPlan.ts"

/** Of one call. */
export const delayMillisMax = 30_000

const nobody: ReadonlySet<Reason["_tag"]> = new Set()

/** Every call takes up to 30 seconds, or one kind of call does, or few of them. */
export const delaysOf = (seed: number): ReadonlyArray<DeviceRule> => {
  const dice = new Dice(seed)
  const kind = dice.below(4)
  const delayMillis = [dice.pick([0, 0, 1000]), delayMillisMax] as const
  const sessions = Array.from({ length: 4 })
  if (kind < 2) return sessions.map(() => ({ at: 0, sticky: true, delayMillis }))
  const operation = dice.pick(["append", "sync", "syncDirectory", "create", "read", "remove"] as const)
  if (kind === 2) return sessions.map(() => ({ operation, sticky: true, delayMillis }))
  return Array.from({ length: 40 }, () => ({ at: dice.below(400), delayMillis }))
}

export const slowRun = (seed: number): DeviceRun => {
  const rules = delaysOf(seed)
  return told(seed, rules, () =>
    deviceRun({
      seed,
      rules,
      blames: nobody,
      patienceMillis: 86_400_000,
      interruptedAfterMillis: 60_000,
      expiring: true
    })
  )
}

export const tenYearsMillis = 10 * 365 * 86_400_000

/** A jump every few calls, of any length up to ten years either way. */
export const jumpsOf = (seed: number): ReadonlyArray<DeviceRule> => {
  const dice = new Dice(seed)
  return Array.from({ length: 5 + dice.below(100) }, () => {
    const most = dice.pick([1, 1000, 3_600_000, tenYearsMillis, tenYearsMillis])
    const jumpMillis = Math.floor((dice.below(2_000_001) / 1_000_000 - 1) * most)
    return { at: dice.below(300), jumpMillis }
  })
}

export const jumpingRun = (seed: number): DeviceRun => {
  const rules = jumpsOf(seed)
  const plan = { seed, blames: nobody, patienceMillis: 60_000, encrypted: seed % 4 === 0, expiring: true }
  return told(seed, rules, () => deviceRun({ ...plan, rules }))
}

const told = (seed: number, rules: ReadonlyArray<DeviceRule>, run: () => DeviceRun): DeviceRun => {
  try {
    return run()
  } catch (cause) {
    throw new Error(`seed ${seed}: ${JSON.stringify(rules)}`, { cause })
  }
}
