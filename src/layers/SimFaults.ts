/**
 * Faults of the simulated disk, as data: which call fails, how, and what it did before it failed.
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
 * One fault. It strikes at the call of index `at`, or at the first call that `match` accepts; a sticky one strikes at
 * every call from `at` on, or at every call accepted.
 *
 * @since 0.1.0
 * @category models
 */
export type FaultRule = {
  /** The errno's name. */
  readonly code: string
  readonly sticky?: boolean | undefined
  /** For `append`: how many bytes are taken before the failure. Default 0. */
  readonly bytesAccepted?: number | undefined
  /** For `sync` and `syncDirectory`: what became of the bytes. Default `dropped`. */
  readonly syncModel?: SyncModel | undefined
} & ({ readonly at: number } | { readonly match: (operation: SimOperation, path: string) => boolean })

/**
 * Which fault strikes which call. A rule that is not sticky strikes once.
 *
 * @internal
 */
export class Faults {
  readonly #rules: Array<FaultRule>

  constructor(rules: ReadonlyArray<FaultRule>) {
    this.#rules = [...rules]
  }

  add(rule: FaultRule): void {
    this.#rules.push(rule)
  }

  clear(): void {
    this.#rules.length = 0
  }

  strike(index: number, operation: SimOperation, path: string): FaultRule | undefined {
    const place = this.#rules.findIndex((rule) => {
      if ("match" in rule) return rule.match(operation, path)
      return rule.sticky === true ? index >= rule.at : index === rule.at
    })
    const rule = this.#rules[place]
    if (rule !== undefined && rule.sticky !== true) this.#rules.splice(place, 1)
    return rule
  }
}
