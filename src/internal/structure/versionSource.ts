// What a job merges: one memtable, or one run of tables, as all its versions in table order (keys ascending, the
// sequences of a key descending), each seen once.
import type { EntryView } from "../format/blockEntry.ts"
import type { JobRequest } from "./jobRequest.ts"

/** The outcome of a step: it stands on a version, is beyond the last one, or needs bytes to go on. */
export const Step = { version: 0, end: 1, bytes: 2 } as const
export type Step = (typeof Step)[keyof typeof Step]

/** Keys from `from` (inclusive) up to `to` (exclusive); an end that is `undefined` is open. */
export interface KeySpan {
  readonly from: Uint8Array | undefined
  readonly to: Uint8Array | undefined
}

export interface VersionSource {
  /** The version it stands on. The same view again and again; its owner may change it until the next step. */
  readonly entry: EntryView
  /** To the next version. After `Step.bytes` it is called again when the bytes of `request` have been fed. */
  readonly advance: () => Step
  readonly request: () => JobRequest
  readonly feed: (bytes: Uint8Array) => void
}
