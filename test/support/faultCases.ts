// Which faults strike a workload: every call of a clean run, with codes by turns, once or from then on, and for an
// append how much was taken, for a sync what became of the bytes.
import { assert } from "@effect/vitest"
import type * as SimDisk from "../../src/layers/SimDisk.ts"
import type { FaultRule } from "../../src/layers/SimFaults.ts"
import { type FaultRun, faultRun } from "./faultRun.ts"
import type { Workload } from "./faultSession.ts"

const codes = ["EIO", "ENOSPC", "EMFILE", "EACCES", "EROFS", "EDQUOT"] as const

type Variant = Pick<FaultRule, "bytesAccepted" | "syncModel">

export interface FaultCase {
  /** The call of the run without faults. */
  readonly at: number
  /** What it is but for the code, of all that may happen to the call. */
  readonly kind: string
  readonly rule: FaultRule
}

/**
 * What is struck of a call:
 *
 * - `some`: every variant once, and one of them from then on, with codes by turns
 * - `kinds`: every variant, once and from then on, with codes by turns
 * - `all`: the same with every code
 */
export type Among = "some" | "kinds" | "all"

/** What a failing call may have done. */
const variantsOf = (operation: string, path: string): ReadonlyArray<Variant> => {
  if (operation === "append") return [0, 20, Number.POSITIVE_INFINITY].map((bytesAccepted) => ({ bytesAccepted }))
  // Whose name in the parent is given up by the system, and shown all the same, has no way to notice it later.
  if (operation === "syncDirectory" && path.endsWith("/..")) return [{ syncModel: "written" }]
  if (operation !== "sync" && operation !== "syncDirectory") return [{}]
  return (["dropped", "reverted", "written"] as const).map((syncModel) => ({ syncModel }))
}

const caseOf = (at: number, rule: FaultRule & Variant): FaultCase => {
  const { bytesAccepted, code, sticky, syncModel } = rule
  const what = code === "ESHORT" ? "short" : (syncModel ?? (bytesAccepted === undefined ? "failed" : bytesAccepted))
  return { at, kind: `${what} ${sticky === true ? "sticky" : "once"}`, rule }
}

/** A read that gives less than it should, though the file is longer; from then on, every read. */
const shortReads = (at: number, readsBefore: number, among: Among): ReadonlyArray<FaultCase> => {
  const once = caseOf(at, { at, code: "ESHORT", sticky: false })
  if (among === "some") return [once]
  return [once, caseOf(at, { operation: "read", skip: readsBefore, code: "ESHORT", sticky: true })]
}

const failuresOf = ({ index: at, operation, path }: SimDisk.OperationRecord, among: Among) => {
  const variants = variantsOf(operation, path)
  const code = (turn: number) => codes[(at + turn) % codes.length]!
  const both = (one: (sticky: boolean) => ReadonlyArray<FaultCase>) => [...one(false), ...one(true)]
  if (among === "all")
    return codes.flatMap((code) =>
      both((sticky) => variants.map((variant) => caseOf(at, { at, code, sticky, ...variant })))
    )
  const once = variants.map((variant, turn) => caseOf(at, { at, code: code(turn), sticky: false, ...variant }))
  const sticky = variants.map((variant, turn) => caseOf(at, { at, code: code(turn + 3), sticky: true, ...variant }))
  return [...once, ...(among === "some" ? [sticky[at % sticky.length]!] : sticky)]
}

/** Of the calls of a run without faults that are chosen, what is to be struck. */
export const casesOf = (
  log: ReadonlyArray<SimDisk.OperationRecord>,
  among: Among,
  isChosen: (call: SimDisk.OperationRecord) => boolean = () => true
): ReadonlyArray<FaultCase> => {
  let reads = 0
  return log.flatMap((call) => {
    const isRead = call.operation === "read"
    const short = isRead ? shortReads(call.index, reads, among) : []
    if (isRead) reads += 1
    return isChosen(call) ? [...short, ...failuresOf(call, among)] : []
  })
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
  { at, rule }: FaultCase,
  { clean, seed }: { readonly clean: FaultRun; readonly seed: number }
): FaultRun => {
  const { operation, path } = clean.log[at]!
  try {
    const run = faultRun(seed, rule, workload)
    assert.strictEqual(run.log[at]?.operation, operation, "the runs part before the fault")
    return run
  } catch (error) {
    const told = JSON.stringify({ at, ...rule, bytesAccepted: `${rule.bytesAccepted}` })
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
  const isChosen = (call: SimDisk.OperationRecord) => (isAll || workload.strikes(call)) && only(call)
  const cases = casesOf(clean.log, isAll ? "all" : "some", isChosen).filter((_, index) => index % stride === 0)
  let noticed = 0
  for (const one of cases) if (strike(workload, one, { seed, clean }).failures.length > 0) noticed += 1
  console.log(`calls: ${clean.log.length}; faults: ${cases.length}, of which ${noticed} were noticed by the caller`)
}
