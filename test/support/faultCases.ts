// Which faults strike a workload: every call of a clean run, with codes by turns, once or from then on, and for an
// append how much was taken, for a sync what became of the bytes.
import { assert } from "@effect/vitest"
import type * as SimDisk from "../../src/layers/SimDisk.ts"
import type { FaultRule } from "../../src/layers/SimFaults.ts"
import { type FaultRun, faultRun } from "./faultRun.ts"
import type { Workload } from "./faultSession.ts"

const codes = ["EIO", "ENOSPC", "EMFILE", "EACCES", "EROFS", "EDQUOT"] as const

type Variant = Pick<FaultRule, "bytesAccepted" | "syncModel">
export type FaultCase = FaultRule & { readonly at: number }

/** What a failing call may have done. */
const variantsOf = (operation: string, path: string): ReadonlyArray<Variant> => {
  if (operation === "append") return [0, 20, Number.POSITIVE_INFINITY].map((bytesAccepted) => ({ bytesAccepted }))
  // Whose name in the parent is given up by the system, and shown all the same, has no way to notice it later.
  if (operation === "syncDirectory" && path.endsWith("/..")) return [{ syncModel: "written" }]
  if (operation !== "sync" && operation !== "syncDirectory") return [{}]
  return (["dropped", "reverted", "written"] as const).map((syncModel) => ({ syncModel }))
}

/** What is struck of a call: each kind once with codes by turns, or all codes, once and from then on. */
export const casesOf = (
  { index: at, operation, path }: SimDisk.OperationRecord,
  allCodes: boolean
): ReadonlyArray<FaultCase> => {
  const variants = variantsOf(operation, path)
  // A read that gives less than it should, though the file is longer.
  const short = operation === "read" ? [{ at, code: "ESHORT", sticky: false }] : []
  if (allCodes) {
    const failures = codes.flatMap((code) =>
      [false, true].flatMap((sticky) => variants.map((variant) => ({ at, code, sticky, ...variant })))
    )
    return [...failures, ...short]
  }
  const code = (turn: number) => codes[(at + turn) % codes.length]!
  return [
    ...short,
    ...variants.map((variant, turn) => ({ at, code: code(turn), sticky: false, ...variant })),
    { at, code: code(3), sticky: true, ...variants[at % variants.length] }
  ]
}

export interface Strikes {
  readonly seed: number
  /** All codes at all calls, or every n-th of what is struck by default. */
  readonly selection: "all" | number
  /** Of the calls that the workload has struck, these. Default: all. */
  readonly only?: (call: SimDisk.OperationRecord) => boolean
}

/** Runs the workload with the fault at one of the calls of the run that had none. */
export const strike = (
  workload: Workload,
  rule: FaultCase,
  { clean, seed }: { readonly clean: FaultRun; readonly seed: number }
): FaultRun => {
  const { operation, path } = clean.log[rule.at]!
  try {
    const run = faultRun(seed, rule, workload)
    assert.strictEqual(run.log[rule.at]?.operation, operation, "the runs part before the fault")
    return run
  } catch (error) {
    const told = JSON.stringify({ ...rule, bytesAccepted: `${rule.bytesAccepted}` })
    throw new Error(`seed ${seed}: ${operation} ${path} ${told}`, { cause: error })
  }
}

/** Runs the workload without a fault, twice, and then once for each. */
export const strikeAll = (workload: Workload, { only = () => true, seed, selection }: Strikes): void => {
  const clean = faultRun(seed, undefined, workload)
  assert.deepStrictEqual(clean.failures, [])
  const again = faultRun(seed, undefined, workload)
  assert.deepStrictEqual(again.log, clean.log, "the same seed is the same run")
  const isAll = selection === "all"
  const stride = selection === "all" ? 1 : selection
  const cases = clean.log
    .filter((call) => (isAll || workload.strikes(call)) && only(call))
    .flatMap((call) => casesOf(call, isAll))
    .filter((_, index) => index % stride === 0)
  let noticed = 0
  for (const rule of cases) if (strike(workload, rule, { seed, clean }).failures.length > 0) noticed += 1
  console.log(`calls: ${clean.log.length}; faults: ${cases.length}, of which ${noticed} were noticed by the caller`)
}
