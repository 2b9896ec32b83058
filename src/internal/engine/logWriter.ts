// Writing the log: groups into segments, and from one segment to the next.
//
//   leave a segment   SEALED (unless it is torn) → sync it
//   enter the next    LINK {the segment left, its last LSN and chain} → (at a switch) sync
//
// Nothing is appended to the next segment before all of the one left is durable: a newer segment that is synced before
// an older one would make a hole. A switch also syncs the LINK, so the manifest may name the new segment as the first
// that is needed: a first segment without a LINK is damage.
//
// An append that the disk refuses half-way leaves torn bytes, and nothing is ever appended behind them: the segment is
// `left`, and the next append first enters another one, whose LINK names the last whole group. The LSNs of the refused
// frames are given again. A LINK that is refused is dealt with alike: that segment stays behind, holding nothing.
//
// After a failed sync, or an append that failed with all its bytes accepted, what is on the disk is not known. The log
// is poisoned: no call touches a file again, and nothing is removed.
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { CommitOutcomeUnknown, type DatabaseError, fail } from "../../services/DatabaseError.ts"
import { DiskError } from "../../services/Disk.ts"
import { logFileName } from "../format/fileName.ts"
import { assert } from "../format/formatError.ts"
import { frameHeaderBytes, type LogPosition } from "../format/logFrame.ts"
import { tagBytesMax } from "../format/sealer.ts"
import { acceptedBytes, ofDisk, poisonedBy } from "./diskErrors.ts"
import { appendWhole, createSegment, isPoisoned, type LogParts, type SegmentFile } from "./segmentFile.ts"

/** Larger groups are not copied together: to write their pieces as they are costs less. */
const groupBytesMax = 32 * 1024

export class LogWriter {
  readonly counters = { bytesWritten: 0, syncs: 0 }
  /** The last whole frame. */
  position: LogPosition
  /** Everything up to this LSN is durable. */
  synced: number
  private readonly parts: LogParts
  private readonly scope: Scope.Scope
  private current: SegmentFile | undefined = undefined
  /** The current segment takes no more frames: it is sealed, or torn. */
  private left = false
  /** The last LSN of a group, and the promise that the last frame made. */
  private groupLsn = 0
  private promised = 0
  private prepared: SegmentFile | undefined = undefined
  private readonly preparing = Semaphore.makeUnsafe(1)
  /** Segments of this epoch that were not removed, oldest first. */
  private readonly segments: Array<SegmentFile> = []
  private poison: DatabaseError | undefined = undefined
  /** Where groups are put together that are written on the caller's stack. */
  private staging: Uint8Array | undefined = undefined

  /** Goes on behind the position, with the scope for what is done in the background. */
  constructor(parts: LogParts, options: { readonly position: LogPosition; readonly scope: Scope.Scope }) {
    this.parts = parts
    this.position = options.position
    this.synced = options.position.lsn
    this.scope = options.scope
  }

  /** The first segment of the epoch, with these bytes as its first group. */
  start(chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, DatabaseError> {
    return Effect.uninterruptible(
      Effect.suspend(() => {
        assert(this.current === undefined, "a log starts once")
        return Effect.andThen(Effect.tapError(createSegment(this.parts), this.notePoison), (segment) =>
          Effect.andThen(this.enter(segment, 0, chunks), this.syncOr(poisonedBy))
        )
      })
    )
  }

  append(chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, DatabaseError> {
    return Effect.uninterruptible(
      Effect.suspend(() => {
        if (this.poison !== undefined) return Effect.fail(this.poison)
        if (this.left)
          return Effect.andThen(
            this.move,
            Effect.suspend(() => this.writeGroup(chunks))
          )
        return this.writeGroup(chunks)
      })
    )
  }

  /** The same on the calling stack, of a group of one piece; the disk must be able to, and the segment not left. */
  appendUnsafe(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.poison !== undefined || this.left || end - start > groupBytesMax) return false
    const { file, frames } = this.segment()
    if (file.appendUnsafe === undefined) return false
    const before = file.size()
    const promise = this.synced
    this.staging ??= new Uint8Array(groupBytesMax + frameHeaderBytes + tagBytesMax)
    const length = frames.groupInto(this.staging, { bytes, start, end, syncedLsn: promise })
    try {
      file.appendUnsafe(this.staging, length)
    } catch (error) {
      throw error instanceof DiskError ? this.refused(error, { bytes: length, before }) : error
    }
    this.accepted(before, promise)
    this.groupLsn = this.position.lsn
    return true
  }

  readonly sync: Effect.Effect<void, DatabaseError> = this.alive(() => this.syncOr(outcomeUnknown))

  readonly switchSegment: Effect.Effect<void, DatabaseError> = this.alive(() =>
    Effect.andThen(Effect.andThen(this.writeSealed, this.move), this.syncOr(poisonedBy))
  )

  readonly mark: Effect.Effect<void, DatabaseError> = this.alive(() => {
    const { lsn } = this.position
    if (this.left || this.synced !== lsn || this.promised >= this.groupLsn) return Effect.void
    return this.write(this.segment().frames.syncMark(lsn))
  })

  readonly seal: Effect.Effect<void, DatabaseError> = this.alive(() =>
    Effect.andThen(Effect.andThen(this.writeSealed, this.syncOr(poisonedBy)), this.close)
  )

  /** The segment that takes appends. */
  segment(): SegmentFile {
    assert(this.current !== undefined, "the log has started")
    return this.current
  }

  removeBelow(number: number): Effect.Effect<void> {
    return Effect.uninterruptible(
      Effect.suspend(() => {
        const needless: Array<SegmentFile> = []
        while (this.segments.length > 0 && this.segments[0]!.number < number) needless.push(this.segments.shift()!)
        return Effect.forEach(needless, (segment) => this.remove(segment), { discard: true })
      })
    )
  }

  stats() {
    let bytes = 0
    for (const segment of this.segments) bytes += segment.file.size()
    return { segments: this.segments.length, bytes, ...this.counters }
  }

  /** Closes what is open. What was promised was synced before; there is nothing that this could lose. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const files = [this.current, this.prepared].filter((segment) => segment !== undefined)
    this.left = true
    return Effect.forEach(files, (segment) => Effect.ignore(segment.file.close), { discard: true })
  })

  private alive(body: () => Effect.Effect<void, DatabaseError>): Effect.Effect<void, DatabaseError> {
    return Effect.uninterruptible(Effect.suspend(() => (this.poison === undefined ? body() : Effect.fail(this.poison))))
  }

  private writeGroup(chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, DatabaseError> {
    return this.write(this.segment().frames.group(chunks, this.synced), true)
  }

  /** Appends frames that were just made for the current segment. */
  private write(frames: ReadonlyArray<Uint8Array>, isGroup = false): Effect.Effect<void, DatabaseError> {
    const { file } = this.segment()
    const before = file.size()
    const promise = this.synced
    return Effect.matchEffect(file.append(frames), {
      onFailure: (error) => {
        const bytes = frames.reduce((sum, { length }) => sum + length, 0)
        return Effect.fail(this.refused(error, { bytes, before }))
      },
      onSuccess: () => {
        this.accepted(before, promise)
        if (isGroup) this.groupLsn = this.position.lsn
        return Effect.void
      }
    })
  }

  /** The file has the frames that were made last. `before`: its size without them. */
  private accepted(before: number, promise: number): void {
    const { file, frames } = this.segment()
    this.position = frames.position()
    this.promised = promise
    this.counters.bytesWritten += file.size() - before
  }

  /** What to tell of frames of so many bytes that the disk did not take, or not without an error. */
  private refused(error: DiskError, write: { readonly bytes: number; readonly before: number }): DatabaseError {
    const segment = this.segment()
    const accepted = acceptedBytes(error, segment.file.size() - write.before)
    if (accepted >= write.bytes) {
      this.poisoned(poisonedBy(error))
      return outcomeUnknown(error)
    }
    if (accepted === 0 && segment.isRewindable) segment.goOnFrom(this.position)
    else this.left = true
    return ofDisk(error)
  }

  private readonly writeSealed: Effect.Effect<void, DatabaseError> = Effect.suspend(() => {
    if (this.left) return Effect.void
    return Effect.map(this.write(this.segment().frames.sealed(this.synced)), () => {
      this.left = true
    })
  })

  private syncOr(toError: (error: DiskError) => DatabaseError): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      const { lsn } = this.position
      if (this.synced === lsn) return Effect.void
      this.counters.syncs += 1
      return Effect.matchEffect(this.segment().file.sync, {
        onFailure: (error) => {
          this.poisoned(poisonedBy(error))
          return Effect.fail(toError(error))
        },
        onSuccess: () => {
          this.synced = lsn
          return Effect.void
        }
      })
    })
  }

  /** From a segment that takes no more frames into the next one. Fails with everything as it was, or poisoned. */
  private readonly move: Effect.Effect<void, DatabaseError> = Effect.suspend(() =>
    this.syncOr(poisonedBy).pipe(
      Effect.andThen(this.prepare),
      Effect.andThen(
        Effect.suspend(() => {
          const next = this.prepared!
          const before = this.segment()
          this.prepared = undefined
          return Effect.andThen(this.enter(next, before.number, []), Effect.ignore(before.file.close))
        })
      )
    )
  )

  /** Makes the segment the current one by its LINK, and has the one after it prepared. */
  private enter(
    next: SegmentFile,
    previousSegment: number,
    chunks: ReadonlyArray<Uint8Array>
  ): Effect.Effect<void, DatabaseError> {
    const { chain, lsn } = this.position
    next.beginAt(lsn)
    const frames = next.frames.link({ previousSegment, finalLsn: lsn, finalChain: chain })
    if (chunks.length > 0) frames.push(...next.frames.group(chunks, lsn))
    const { file } = next
    const before = file.size()
    return Effect.matchEffect(appendWhole(file, frames), {
      onFailure: (error) => {
        if (isPoisoned(error)) this.poisoned(error)
        if (file.size() > before || !next.isRewindable) {
          this.segments.push(next)
          return Effect.andThen(Effect.ignore(file.close), Effect.fail(error))
        }
        this.prepared = next
        return Effect.fail(error)
      },
      onSuccess: () => {
        this.current = next
        this.left = false
        this.position = next.frames.position()
        this.promised = lsn
        if (chunks.length > 0) this.groupLsn = this.position.lsn
        this.counters.bytesWritten += file.size() - before
        this.segments.push(next)
        return Effect.asVoid(Effect.forkIn(Effect.ignore(this.prepare), this.scope))
      }
    })
  }

  /** There is a prepared segment of the newest data key afterwards. One call at a time does it; the others wait. */
  private readonly prepare: Effect.Effect<void, DatabaseError> = Effect.suspend(() =>
    this.preparing.withPermit(
      Effect.uninterruptible(
        Effect.suspend(() => {
          if (this.poison !== undefined) return Effect.fail(this.poison)
          const { prepared } = this
          if (prepared?.keyGeneration === this.parts.encryption.keyGeneration()) return Effect.void
          const create = Effect.map(Effect.tapError(createSegment(this.parts), this.notePoison), (segment) => {
            this.prepared = segment
          })
          if (prepared === undefined) return create
          // It was prepared with an older data key, and holds nothing.
          this.prepared = undefined
          return Effect.andThen(Effect.ignore(prepared.file.close), Effect.andThen(this.remove(prepared), create))
        })
      )
    )
  )

  private readonly notePoison = (error: DatabaseError): Effect.Effect<void> =>
    Effect.sync(() => {
      if (isPoisoned(error)) this.poisoned(error)
    })

  private poisoned(error: DatabaseError): void {
    this.poison ??= error
  }

  private remove(segment: SegmentFile): Effect.Effect<void> {
    if (this.poison !== undefined) return Effect.void
    const { directory, disk } = this.parts
    const name = logFileName(segment.number)
    return Effect.catch(disk.remove(disk.join(directory, name)), (error) =>
      Effect.logWarning(`Strata: ${name} could not be removed and is left to the next open: ${error.message}`)
    )
  }
}

/** The failure of a sync, or of a write that was accepted: the groups it was for may survive or not. */
const outcomeUnknown = (cause: DiskError): DatabaseError =>
  fail(
    new CommitOutcomeUnknown({
      message: `${cause.message}; reopen the database to see whether the commit survived`,
      cause
    })
  )
