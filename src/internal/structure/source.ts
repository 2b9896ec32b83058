// What a merge reads: one memtable, table or run as a sequence of keys, each at its newest version that the reader may
// see.
//
// A move is begun by `seek`, `seekEnd` or `move`, and finished by `resume`: it returns a request for what it needs, to
// be called again when that is answered, or `undefined` when the source stands on a key (`valid`) or beyond its end. A
// target must not change until its move is finished.
import type { SourceRemovals } from "./coverage.ts"
import type { EntryView, Request } from "./entry.ts"

export interface Source {
  /** Whether it stands on a key. Holds between moves. */
  readonly valid: boolean
  readonly entry: EntryView
  /** The range removals that the reader sees; `undefined` if there are none. What they hide is shown all the same. */
  readonly removals: SourceRemovals | undefined
  readonly seek: (target: Target) => void
  /** To the first key, or for backward the last. */
  readonly seekEnd: (forward: boolean) => void
  /** To the next key in the direction. Only when valid. */
  readonly move: (forward: boolean) => void
  readonly resume: () => Request | undefined
}

/**
 * Where to: forward, the first key at or after it; backward, the last at or before it; not the key itself unless
 * inclusive.
 */
export interface Target {
  readonly key: Uint8Array
  readonly start: number
  readonly end: number
  readonly forward: boolean
  readonly inclusive: boolean
}
