// Whether a commit may enter now, and what it waits for if not. It never fails for waiting: only a disk that refuses
// what would make room is told to the writer (the committer decides that).
//
//   memory      no memtable is free: the frozen ones are being flushed
//   level0      too many tables at level 0 (or bytes above their targets): compaction is behind
//   sequences   none are reserved: the manifest is being written
//   commits     too many commits wait for the log
//
// Before it is stopped by level 0, a writer is slowed: its bytes are admitted at a rate that falls with the pressure.
// So the wait is spread over many commits instead of coming all at once to one.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { OptionsShape } from "../../services/Options.ts"
import type { OracleService } from "../../services/Oracle.ts"
import { elapsedMillis } from "./elapsed.ts"
import { Gate, WaitList } from "./gate.ts"
import type { LiveView, Slot } from "./view.ts"

export type StallReason = "memory" | "level0" | "sequences" | "commits"

/** How far compaction is behind: from 0, not at all, to 1, where writers stop. */
export interface Pressure {
  readonly share: number
}

export interface AdmissionParts {
  readonly options: OptionsShape
  readonly live: LiveView
  readonly oracle: OracleService
  /** Gives new commits a memtable of their own. False if the pool is empty. */
  readonly freeze: () => boolean
  /** Commits whose outcome somebody waits for. */
  readonly unresolvedCount: () => number
}

/**
 * So many value files its commits may bring along, and so many bytes in them. More would make an open slow, which looks
 * at each, and keep overwritten values on the disk until the memtable is full of their handles.
 */
const directFilesMax = 256
const directBytesMax = 512 * 1024 * 1024

/** At the least pressure bytes are admitted at this rate, at the most at a hundredth of it. */
const slowBytesPerMillisecond = 32 * 1024
const slowestShare = 0.01
/** Shorter waits are saved up. */
const pauseMillisMin = 2

export class Admission {
  readonly counters = { stalls: 0, stallMillis: 0, slowed: 0, slowedMillis: 0 }
  /** Milliseconds waited, by reason. */
  readonly stallMillisOf: Record<StallReason, number> = { memory: 0, level0: 0, sequences: 0, commits: 0 }
  /** Woken when sequences run low. */
  readonly sequencesLow = new Gate()
  /** Why memtables do not become tables: who needs room is told instead of waiting for a disk that is full. */
  flushRefused: DatabaseError | undefined = undefined
  /** The same of compaction, for who waits at level 0. */
  compactionRefused: DatabaseError | undefined = undefined
  private readonly parts: AdmissionParts
  private readonly room = new WaitList()
  /** A commit waits because too many others do. */
  private crowded = false
  private pressureShare = 0
  /** When the bytes admitted so far are paid for. */
  private paidMillis = 0

  constructor(parts: AdmissionParts) {
    this.parts = parts
  }

  /** When room may have come: to wait for, taken before looking. */
  get turn(): number {
    return this.room.turn
  }

  awaitRoom(turn: number): Effect.Effect<void> {
    return this.room.waitFrom(turn)
  }

  /** Memory, sequences or a table came back, or waiting is in vain: everybody looks again. */
  wake(): void {
    this.room.wakeAll()
  }

  /** A group has ended. */
  uncrowd(): void {
    if (!this.crowded) return
    this.crowded = false
    this.room.wakeAll()
  }

  /** What compaction says of itself: 0 is nothing to wait for, 1 and more stops writers. */
  setPressure(share: number): void {
    const before = this.pressureShare
    this.pressureShare = share
    if (share < before) this.room.wakeAll()
  }

  /** What the commit has to wait for; makes what is missing, if that can be done at once. */
  blockedBy(bytes: number): StallReason | undefined {
    const { live, options, oracle } = this.parts
    if (oracle.remaining() * 2 < options.sequencesReserved) this.sequencesLow.wake()
    if (oracle.remaining() === 0) return "sequences"
    if (this.parts.unresolvedCount() >= options.commitsPendingMax) {
      this.crowded = true
      return "commits"
    }
    if (this.pressureShare >= 1) return "level0"
    return hasRoom(live.active, bytes) || this.parts.freeze() ? undefined : "memory"
  }

  stall(reason: StallReason, turn: number): Effect.Effect<void> {
    return Effect.flatMap(elapsedMillis, (since) => {
      this.counters.stalls += 1
      return Effect.ensuring(
        this.room.waitFrom(turn),
        Effect.map(elapsedMillis, (now) => {
          const millis = now - since
          this.counters.stallMillis += millis
          this.stallMillisOf[reason] += millis
        })
      )
    })
  }

  /** The pause of a writer under pressure; `undefined` without any, which costs a comparison. */
  pace(bytes: number): Effect.Effect<void> | undefined {
    const share = this.pressureShare
    if (share <= 0) return undefined
    return Effect.flatMap(elapsedMillis, (now) => {
      const rate = slowBytesPerMillisecond * Math.max(slowestShare, 1 - share)
      const from = Math.max(now, this.paidMillis)
      this.paidMillis = from + bytes / rate
      const millis = from - now
      if (millis < pauseMillisMin) return Effect.void
      this.counters.slowed += 1
      this.counters.slowedMillis += millis
      return Effect.sleep(millis)
    })
  }
}

/** Whether the slot's memtable takes a commit of so many bytes. */
const hasRoom = ({ memtable, values }: Slot, bytes: number): boolean => {
  const { capacity, used } = memtable.arena
  if (capacity - used < bytes) return false
  if (values.length === 0) return true
  return values.length < directFilesMax && values.reduce((sum, { meta }) => sum + meta.bytes, 0) < directBytesMax
}
