// The commits between their entry into the arena and their visibility. Plain and synchronous: each method is one step
// that no other fiber can see half done.
//
//   enter     conflict-free, sequence assigned, bytes in the arena            waiting
//   take      all that wait for one memtable form a group                     writing
//   written   the group is in the log: those before the first `disk` commit   visible
//   synced    the group is on disk: the rest                                  visible
//   tell      whoever waits for what has become visible goes on
//   abandon   the log did not take it: definitely not written                 failed
//
// A `buffered` commit with nothing unresolved before it is visible at once and waits for the log in the background;
// neighbours of this kind share a ticket. Commits become visible in sequence order because tickets are kept in that
// order and none is published before the ones ahead of it.
import type { Commit } from "../../services/Database.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { Durability } from "../../services/Options.ts"
import type { OracleService } from "../../services/Oracle.ts"
import { commitHeaderBytes, writeCommitHeader } from "../format/commit.ts"
import { assert } from "../format/formatError.ts"
import { Kind, readRecord, RecordView } from "../format/record.ts"
import { readHandleLength } from "../format/valueHandle.ts"
import type { ValueFile } from "../../services/ValueLog.ts"
import type { CommitValues } from "./commitValues.ts"
import { goOn } from "./gate.ts"
import { userKeyStart } from "./userKeys.ts"
import type { LiveView, Slot } from "./view.ts"

/** A commit's records, normalised, before it has a sequence. */
export interface CommitRequest {
  readonly recordBytes: number
  readonly count: number
  /** It takes space to free more. */
  readonly removesOnly: boolean
  /** Writes exactly `recordBytes` bytes. */
  readonly encode: (target: Uint8Array, offset: number) => void
  /** Files that the records' handles name. */
  readonly values?: CommitValues | undefined
}

/** Where a commit's bytes lie. */
interface Place {
  readonly slot: Slot
  readonly offset: number
  readonly bytes: number
}

/** A commit that has entered. A class: to spread its parts into an object takes as long as the rest of its entry. */
export class Ticket implements Commit {
  readonly slot: Slot
  readonly offset: number
  bytes: number
  sequence: number
  commitMillis: number
  readonly durability: Durability
  state: "waiting" | "writing" | "visible" | "failed" = "waiting"
  removesOnly = true
  /** Whether transactions that are open can find its writes. */
  isLearned = true
  error: DatabaseError | undefined = undefined
  /** Files that came with it, which the slot has. */
  files: ReadonlyArray<ValueFile> = noFiles
  onResolved: (() => void) | undefined = undefined

  constructor(place: Place, commit: Commit, durability: Durability) {
    this.slot = place.slot
    this.offset = place.offset
    this.bytes = place.bytes
    this.sequence = commit.sequence
    this.commitMillis = commit.commitMillis
    this.durability = durability
  }

  /** Whoever waits for it, once. */
  tell(): void {
    const { onResolved } = this
    if (onResolved === undefined) return
    this.onResolved = undefined
    goOn(onResolved)
  }
}

export interface Group {
  readonly slot: Slot
  readonly tickets: ReadonlyArray<Ticket>
  readonly bytes: number
  readonly needsSync: boolean
  /** How many of the tickets are published, and how many of those were told. */
  published: number
  told: number
}

export class CommitQueue {
  commits = 0
  /** Of the keys and values that became visible. */
  userBytes = 0
  private waiting: Array<Ticket> = []
  /** Of the group that was taken last. */
  private taken: ReadonlyArray<Ticket> = []
  private unresolved = 0
  private bufferedBytes = 0
  private readonly live: LiveView
  private readonly oracle: OracleService
  private readonly record = new RecordView()

  constructor(live: LiveView, oracle: OracleService) {
    this.live = live
    this.oracle = oracle
  }

  /** Commits whose outcome somebody waits for. */
  get unresolvedCount(): number {
    return this.unresolved
  }

  /** Bytes of visible commits that the log has not got yet. */
  get visibleBytes(): number {
    return this.bufferedBytes
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0
  }

  /** The memtable of the first commit that waits. */
  get firstSlot(): Slot | undefined {
    return this.waiting[0]?.slot
  }

  /** The caller has made sure of room in the active memtable and of a sequence. */
  enter(request: CommitRequest, durability: Durability): Ticket {
    const slot = this.live.active
    const bytes = commitHeaderBytes + request.recordBytes
    const offset = slot.memtable.arena.reserve(bytes)
    assert(offset >= 0, "a commit entered without room in the arena")
    const sequence = this.oracle.assign()
    const commitMillis = this.oracle.commitMillis()
    const target = slot.memtable.arena.bytes
    writeCommitHeader(target, offset, { bytes, count: request.count, sequence, commitMillis })
    request.encode(target, offset + commitHeaderBytes)
    const files = request.values?.enter(slot) ?? noFiles
    if (commitMillis > slot.commitMillisMax) slot.commitMillisMax = commitMillis
    this.commits += 1
    const immediate = durability === "buffered" && this.unresolved === 0
    const place = { slot, offset, bytes }
    const isLearned = this.oracle.learning()
    if (isLearned) this.learn(place, sequence)
    const commit = { sequence, commitMillis }
    if (immediate) return this.enterVisible(place, commit)
    const ticket = new Ticket(place, commit, durability)
    ticket.removesOnly = request.removesOnly
    ticket.files = files
    ticket.isLearned = isLearned
    return this.push(ticket)
  }

  /**
   * The oracle learns what is in flight, oldest first: a transaction is about to begin that does not see it and may
   * conflict with it. What enters while there is no transaction is not learned, which halves the time of a batch, for
   * it is visible before there is one.
   */
  learnInFlight(): void {
    for (const tickets of [this.taken, this.waiting]) {
      for (const ticket of tickets) {
        if (ticket.isLearned || (ticket.state !== "waiting" && ticket.state !== "writing")) continue
        ticket.isLearned = true
        this.learn(ticket, ticket.sequence)
      }
    }
  }

  /** An empty `disk` commit: resolved when everything before it is on disk. Not counted, not visible. */
  enterBarrier(): Ticket {
    const commit = { sequence: this.oracle.assigned(), commitMillis: this.oracle.commitMillisMax() }
    return this.push(new Ticket({ slot: this.live.active, offset: 0, bytes: 0 }, commit, "disk"))
  }

  /** Takes back a commit that the log has not begun to write. False if it is too late. */
  withdraw(ticket: Ticket, error: DatabaseError): boolean {
    if (ticket.state !== "waiting") return false
    this.waiting = this.waiting.filter((other) => other !== ticket)
    this.fail(ticket, error)
    return true
  }

  take(): Group | undefined {
    const first = this.waiting[0]
    if (first === undefined) return undefined
    const slot = first.slot
    let count = 0
    let bytes = 0
    let needsSync = false
    for (const ticket of this.waiting) {
      if (ticket.slot !== slot) break
      if (ticket.state === "waiting") ticket.state = "writing"
      needsSync ||= ticket.durability === "disk"
      bytes += ticket.bytes
      count += 1
    }
    const tickets = this.waiting
    this.waiting = count === tickets.length ? [] : tickets.splice(count)
    this.taken = tickets
    this.bufferedBytes = 0
    for (const ticket of this.waiting) if (ticket.state === "visible") this.bufferedBytes += ticket.bytes
    return { slot, tickets, bytes, needsSync, published: 0, told: 0 }
  }

  /** Whether all that waits is one piece of a memtable, and nobody waits for more than that it is written. */
  get isOnePiece(): boolean {
    const first = this.waiting[0]
    if (first === undefined) return false
    let end = first.offset
    for (const ticket of this.waiting) {
      if (ticket.slot !== first.slot || ticket.offset !== end || ticket.durability === "disk") return false
      end += ticket.bytes
    }
    return true
  }

  get firstOffset(): number {
    return this.waiting[0]!.offset
  }

  /** Behind the last of what waits. */
  get endOffset(): number {
    const last = this.waiting[this.waiting.length - 1]!
    return last.offset + last.bytes
  }

  written(group: Group): void {
    this.publish(group, false)
  }

  synced(group: Group): void {
    this.publish(group, true)
  }

  /** What is visible stays and will be offered to the log again; the rest fails, without a trace. */
  abandon(group: Group, error: DatabaseError): void {
    const visible = group.tickets.filter((ticket) => ticket.state === "visible")
    for (const ticket of visible) this.bufferedBytes += ticket.bytes
    this.waiting = [...visible, ...this.waiting]
    for (const ticket of group.tickets) if (ticket.state === "writing") this.fail(ticket, error)
  }

  /** The same for all that wait, when no group was taken. */
  abandonWaiting(error: DatabaseError): void {
    const tickets = this.waiting
    this.waiting = tickets.filter((ticket) => ticket.state === "visible")
    for (const ticket of tickets) if (ticket.state === "waiting") this.fail(ticket, error)
  }

  /** The log has little room: what only removes is offered to it again, with what is visible; the rest fails. */
  keepRemovals(group: Group | undefined, error: DatabaseError): void {
    const tickets = [...(group?.tickets ?? []), ...this.waiting]
    for (const ticket of group?.tickets ?? []) {
      if (ticket.state === "visible") this.bufferedBytes += ticket.bytes
      else if (ticket.state === "writing") ticket.state = "waiting"
    }
    this.waiting = tickets.filter(outlastsFullDisk)
    for (const ticket of tickets) if (ticket.state === "waiting" && !ticket.removesOnly) this.fail(ticket, error)
  }

  /** The log has ended: nothing more will be written. */
  failAll(group: Group | undefined, inGroup: DatabaseError, waiting: DatabaseError): void {
    const tickets = this.waiting
    this.waiting = []
    this.bufferedBytes = 0
    for (const ticket of group?.tickets ?? []) if (ticket.state === "writing") this.fail(ticket, inGroup)
    for (const ticket of tickets) if (ticket.state === "waiting") this.fail(ticket, waiting)
  }

  private push(ticket: Ticket): Ticket {
    this.waiting.push(ticket)
    this.unresolved += 1
    ticket.slot.unresolved += 1
    return ticket
  }

  private enterVisible(place: Place, commit: Commit): Ticket {
    const { bytes, offset, slot } = place
    this.index(place, commit.sequence)
    this.oracle.publish(commit.sequence)
    this.bufferedBytes += bytes
    const last = this.waiting.length === 0 ? undefined : this.waiting[this.waiting.length - 1]
    if (last?.state === "visible" && last.slot === slot && last.offset + last.bytes === offset) {
      last.bytes += bytes
      last.sequence = commit.sequence
      last.commitMillis = commit.commitMillis
      return last
    }
    const ticket = new Ticket(place, commit, "buffered")
    ticket.removesOnly = false
    ticket.state = "visible"
    this.waiting.push(ticket)
    return ticket
  }

  /** Tells those that are visible and have not been told. They run on this stack and may enter commits. */
  tell(group: Group): void {
    const from = group.told
    group.told = group.published
    for (let index = from; index < group.told; index++) group.tickets[index]!.tell()
  }

  private publish(group: Group, isSynced: boolean): void {
    for (; group.published < group.tickets.length; group.published++) {
      const ticket = group.tickets[group.published]!
      if (!isSynced && ticket.durability === "disk") break
      if (ticket.state !== "writing") continue
      if (ticket.bytes > 0) {
        this.index(ticket, ticket.sequence)
        this.oracle.publish(ticket.sequence)
      }
      ticket.state = "visible"
      this.resolve(ticket)
    }
  }

  private fail(ticket: Ticket, error: DatabaseError): void {
    ticket.state = "failed"
    ticket.error = error
    // Its records are not in the index, and its frame is not in the log: nothing names the files.
    if (isDefinite(error)) for (const file of ticket.files) this.live.removeDirect(ticket.slot, file)
    this.resolve(ticket)
    ticket.tell()
  }

  private resolve(ticket: Ticket): void {
    this.unresolved -= 1
    ticket.slot.unresolved -= 1
    if (this.unresolved === 0) this.oracle.settle()
  }

  private index({ bytes, offset, slot }: Place, sequence: number): void {
    const { memtable } = slot
    const { record } = this
    const end = offset + bytes
    let userBytes = 0
    for (let at = offset + commitHeaderBytes; at < end; at = record.end) {
      readRecord(memtable.arena.bytes, at, end, record)
      memtable.put(at, sequence)
      const { kind, valueEnd, valueStart } = record
      userBytes += record.keyEnd - userKeyStart(record.keyStart)
      userBytes +=
        kind === Kind.valueHandle ? readHandleLength(memtable.arena.bytes, valueStart, valueEnd) : valueEnd - valueStart
    }
    this.userBytes += userBytes
  }

  private learn(place: Place, sequence: number): void {
    const { bytes } = place.slot.memtable.arena
    const { record } = this
    const end = place.offset + place.bytes
    for (let at = place.offset + commitHeaderBytes; at < end; at = record.end) {
      readRecord(bytes, at, end, record)
      const { keyEnd, keyStart, kind, valueEnd, valueStart } = record
      if (kind !== Kind.removeRange) this.oracle.learn(bytes, keyStart, keyEnd, sequence)
      else this.oracle.learnRange(bytes.subarray(keyStart, keyEnd), bytes.subarray(valueStart, valueEnd), sequence)
    }
  }
}

const outlastsFullDisk = ({ removesOnly, state }: Ticket): boolean =>
  state === "visible" || (state === "waiting" && removesOnly)
const noFiles: ReadonlyArray<ValueFile> = []

/** The commit did not happen, and will not be there after a crash either. */
const isDefinite = ({ reason }: DatabaseError): boolean =>
  reason._tag !== "CommitOutcomeUnknown" && reason._tag !== "Poisoned"

/** The group's bytes as they lie in the arena, neighbours joined. */
export const groupChunks = (group: Group): ReadonlyArray<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  const { bytes } = group.slot.memtable.arena
  let start = 0
  let end = 0
  for (const ticket of group.tickets) {
    if (ticket.bytes === 0) continue
    if (ticket.offset !== end) {
      if (end > start) chunks.push(bytes.subarray(start, end))
      start = ticket.offset
    }
    end = ticket.offset + ticket.bytes
  }
  if (end > start) chunks.push(bytes.subarray(start, end))
  return chunks
}
