/**
 * Faults of the simulated disk, as data: which call fails, how, and what it did before it failed; and what a device
 * does without a word: bytes that are lost, go astray or change, calls that take long, a wall clock that jumps.
 *
 * @since 0.1.0
 */
import type { SyncModel } from "../internal/structure/simulatedFiles.ts"

/**
 * The calls of the device, by the names that rules and hooks see.
 *
 * @since 0.1.0
 * @category models
 */
export type SimOperation =
  | "makeDirectory"
  | "list"
  | "create"
  | "open"
  | "remove"
  | "linkNew"
  | "syncDirectory"
  | "freeBytes"
  | "lock"
  | "probeLock"
  | "append"
  | "sync"
  | "closeAppend"
  | "read"
  | "closeRead"

/**
 * Where a rule strikes: at the call of index `at`, or at the first call that the rest of it accepts, after `skip`
 * others that it accepts too; a sticky one at every such call, or at every call from `at` on. All but `match` is plain
 * data.
 *
 * @since 0.1.0
 * @category models
 */
export type FaultPlace = { readonly sticky?: boolean | undefined } & (
  | { readonly at: number }
  | { readonly match: (operation: SimOperation, path: string) => boolean }
  | {
      readonly operation: SimOperation
      /** A part of the path. Default: any path. */
      readonly pathPart?: string | undefined
      readonly skip?: number | undefined
    }
)

/**
 * A call that fails.
 *
 * @since 0.1.0
 * @category models
 */
export type FaultRule = FaultPlace & {
  /** The errno's name. `ESHORT` for a read that gives less than it should. */
  readonly code: string
  /** For `append`: how many bytes are taken before the failure. Default 0. */
  readonly bytesAccepted?: number | undefined
  /** For `sync` and `syncDirectory`: what became of the bytes. Default `dropped`. */
  readonly syncModel?: SyncModel | undefined
}

/**
 * An append that is acknowledged, and is not what was done:
 *
 * - `lost`: its place holds zeros
 * - `misdirected`: its place holds zeros, and its bytes lie over others, in this file or in another
 * - `copied`: it is where it belongs, and its bytes lie over others too
 * - `duplicated`: it is there twice, one behind the other
 *
 * Whoever reads sees it at once.
 *
 * @since 0.1.0
 * @category models
 */
export type LieRule = FaultPlace & {
  readonly lie: "lost" | "misdirected" | "copied" | "duplicated"
  /** Which bytes are overwritten. */
  readonly seed: number
}

/**
 * A bit that flips at rest: before the call, in one of the files that there are.
 *
 * @since 0.1.0
 * @category models
 */
export type FlipRule = FaultPlace & {
  /** Which file, and which bit of it. */
  readonly flip: number
  /** A part of the paths that may be struck. Default: any path. */
  readonly within?: string | undefined
}

/**
 * A call that takes its time, some of it before it does anything and the rest after. It is not for synchronous reads.
 *
 * @since 0.1.0
 * @category models
 */
export type DelayRule = FaultPlace & {
  /** The least and the most that it takes. */
  readonly delayMillis: readonly [min: number, max: number]
}

/**
 * Somebody sets the wall clock before the call. The disk must have been given the clock.
 *
 * @since 0.1.0
 * @category models
 */
export type ClockRule = FaultPlace & {
  /** How far ahead, or back if negative. */
  readonly jumpMillis: number
}

/**
 * Anything that can be wrong with the device.
 *
 * @since 0.1.0
 * @category models
 */
export type DeviceRule = FaultRule | LieRule | FlipRule | DelayRule | ClockRule

/** The rules of the kind that has the field. */
type RuleWith<Field extends string> = Extract<DeviceRule, Readonly<Record<Field, unknown>>>

/**
 * Which rule strikes which call. A rule that is not sticky strikes once.
 *
 * @internal
 */
export class Faults {
  readonly #rules: Array<{ readonly rule: DeviceRule; skip: number }> = []

  constructor(rules: ReadonlyArray<DeviceRule>) {
    for (const rule of rules) this.add(rule)
  }

  add(rule: DeviceRule): void {
    this.#rules.push({ rule, skip: "skip" in rule ? (rule.skip ?? 0) : 0 })
  }

  clear(): void {
    this.#rules.length = 0
  }

  /** The first rule with that field which strikes the call. */
  strike<Field extends "code" | "lie" | "flip" | "delayMillis" | "jumpMillis">(
    field: Field,
    index: number,
    call: readonly [operation: SimOperation, path: string]
  ): RuleWith<Field> | undefined {
    const place = this.#rules.findIndex((one) => {
      if (!(field in one.rule) || !accepts(one.rule, index, call)) return false
      one.skip -= 1
      return one.skip < 0
    })
    const rule = this.#rules[place]?.rule
    if (rule !== undefined && rule.sticky !== true) this.#rules.splice(place, 1)
    return rule as RuleWith<Field> | undefined
  }
}

const accepts = (
  rule: DeviceRule,
  index: number,
  [operation, path]: readonly [operation: SimOperation, path: string]
): boolean => {
  if ("match" in rule) return rule.match(operation, path)
  if ("at" in rule) return rule.sticky === true ? index >= rule.at : index === rule.at
  return rule.operation === operation && path.includes(rule.pathPart ?? "")
}
