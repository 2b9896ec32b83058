/**
 * The log that makes a commit durable before it becomes visible.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { TailDropped } from "./Database.ts"
import type { DatabaseError } from "./DatabaseError.ts"

/**
 * What replaying found.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReplayReport {
  readonly segments: number
  readonly groups: number
  readonly bytes: number
  readonly tailDropped: TailDropped | undefined
  readonly lastLsn: number
}

/**
 * The write-ahead log of one database: a chain of segments, one for each memtable (more after a full disk).
 *
 * Invariants every layer keeps, checked by `test/suites/walSuite.ts`:
 * 1. Groups replay in the order they were appended, each whole or not at all.
 * 2. A group whose `append` was followed by a `sync` that returned survives a power cut; one whose `append` returned
 *    survives a killed process.
 * 3. What replays after a crash is a prefix of what was appended.
 * 4. `replay` stops at a torn tail without an error and reports it; damage that a later frame or the manifest promises
 *    to be durable is `Corruption`.
 * 5. An `append` that fails with `DiskFull` or `Io` wrote nothing that will replay, and a later one may succeed.
 *    One that fails with `CommitOutcomeUnknown`, and a `sync` that fails, end the log: every later call fails
 *    `Poisoned`.
 * 6. Nothing is ever appended to a segment of an earlier epoch, and `replay` changes nothing on disk.
 *
 * Call `replay` once, then `start` once; then `append`, `sync`, `switchSegment` and `mark` from one fiber at a time.
 *
 * @since 0.1.0
 * @category services
 */
export class Wal extends Context.Service<
  Wal,
  {
    /** Hands the payload of each group to `sink`, in order. The payload is a view that `sink` must not keep. */
    readonly replay: (
      sink: (payload: Uint8Array) => Effect.Effect<void, DatabaseError>
    ) => Effect.Effect<ReplayReport, DatabaseError>
    /**
     * Creates the first segment of the manifest's next epoch, with the bytes of what was replayed as its first group,
     * synced.
     */
    readonly start: (replayed: ReadonlyArray<Uint8Array>) => Effect.Effect<void, DatabaseError>
    /** Appends one group. The chunks must not change until it completes. */
    readonly append: (chunks: ReadonlyArray<Uint8Array>) => Effect.Effect<void, DatabaseError>
    /**
     * The same of the group bytes[start, end), on the calling stack. Throws what `append` fails with. False if that
     * cannot be now, and nothing has happened.
     */
    readonly appendUnsafe: (bytes: Uint8Array, start: number, end: number) => boolean
    readonly sync: Effect.Effect<void, DatabaseError>
    /** Seals and syncs the segment and goes on in the next one, which was prepared ahead. */
    readonly switchSegment: Effect.Effect<void, DatabaseError>
    /** Writes, without a sync, that everything so far is durable, if it is and is not said yet. Call when idle. */
    readonly mark: Effect.Effect<void, DatabaseError>
    /** Seals and syncs the last segment. Afterwards only `lastLsn` may be asked. */
    readonly seal: Effect.Effect<void, DatabaseError>
    /** The segment that takes appends. */
    readonly segment: () => number
    readonly lastLsn: () => number
    readonly syncedLsn: () => number
    /** Since the log was started. */
    readonly bytesWritten: () => number
    /** Removes segments below the number. Failures are logged and left to the next open. */
    readonly removeBelow: (segment: number) => Effect.Effect<void>
    readonly stats: () => {
      readonly segments: number
      readonly bytes: number
      readonly bytesWritten: number
      readonly syncs: number
    }
  }
>()("strata/Wal") {}

/**
 * The shape of `Wal`.
 *
 * @since 0.1.0
 * @category models
 */
export type WalService = Wal["Service"]
