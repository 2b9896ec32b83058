// The commits between their entry into the arena and their visibility. Plain and synchronous: each method is one step
// that no other fiber can see half done.
//
//   enter     conflict-free, sequence assigned, bytes in the arena            waiting
//   take      all that wait for one memtable form a group                     writing
//   written   the group is in the log: those before the first `disk` commit   visible
//   synced    the group is on disk: the rest                                  visible
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

export interface Ticket extends Commit {
  readonly slot: Slot
  readonly offset: number
  bytes: number
  sequence: number
  commitMillis: number
  readonly durability: Durability
  readonly removesOnly: boolean
  state: "waiting" | "writing" | "visible" | "failed"
  error: DatabaseError | undefined
  /** Files that came with it, which the slot has. */
  readonly files: ReadonlyArray<ValueFile>
  onResolved: (() => void) | undefined
}

export interface Group {
  readonly slot: Slot
  readonly tickets: ReadonlyArray<Ticket>
  readonly bytes: number
  readonly needsSync: boolean
  /** How many of the tickets are published. */
  published: number
}

export class CommitQueue {
  commits = 0
  /** Of the keys and values that became visible. */
  userBytes = 0
  private waiting: Array<Ticket> = []
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
    if (!immediate || this.oracle.learning()) this.learn(slot, offset, sequence)
    if (immediate) return this.enterVisible(slot, offset, { bytes, sequence, commitMillis })
    const { removesOnly } = request
    return this.push({ slot, offset, bytes, sequence, commitMillis, durability, removesOnly, files })
  }

  /** An empty `disk` commit: resolved when everything before it is on disk. Not counted, not visible. */
  enterBarrier(): Ticket {
    const slot = this.live.active
    return this.push({
      slot,
      offset: 0,
      bytes: 0,
      sequence: this.oracle.assigned(),
      commitMillis: this.oracle.commitMillisMax(),
      durability: "disk",
      removesOnly: true,
      files: noFiles
    })
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
    const tickets = this.waiting.slice(0, count)
    this.waiting = this.waiting.slice(count)
    this.bufferedBytes = 0
    for (const ticket of this.waiting) if (ticket.state === "visible") this.bufferedBytes += ticket.bytes
    return { slot, tickets, bytes, needsSync, published: 0 }
  }

  written(group: Group): void {
    this.publish(group, (ticket) => ticket.durability !== "disk")
  }

  synced(group: Group): void {
    this.publish(group, () => true)
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

  private push(parts: Omit<Ticket, "state" | "error" | "onResolved">): Ticket {
    const ticket: Ticket = { ...parts, state: "waiting", error: undefined, onResolved: undefined }
    this.waiting.push(ticket)
    this.unresolved += 1
    ticket.slot.unresolved += 1
    return ticket
  }

  private enterVisible(
    slot: Slot,
    offset: number,
    commit: { readonly bytes: number; readonly sequence: number; readonly commitMillis: number }
  ): Ticket {
    this.index({ slot, offset, ...commit })
    this.oracle.publish(commit.sequence)
    this.bufferedBytes += commit.bytes
    const last = this.waiting.at(-1)
    if (last?.state === "visible" && last.slot === slot && last.offset + last.bytes === offset) {
      last.bytes += commit.bytes
      last.sequence = commit.sequence
      last.commitMillis = commit.commitMillis
      return last
    }
    const ticket: Ticket = {
      ...commit,
      slot,
      offset,
      durability: "buffered",
      removesOnly: false,
      state: "visible",
      error: undefined,
      files: noFiles,
      onResolved: undefined
    }
    this.waiting.push(ticket)
    return ticket
  }

  private publish(group: Group, may: (ticket: Ticket) => boolean): void {
    const resolved: Array<Ticket> = []
    for (; group.published < group.tickets.length; group.published++) {
      const ticket = group.tickets[group.published]!
      if (!may(ticket)) break
      if (ticket.state !== "writing") continue
      if (ticket.bytes > 0) {
        this.index(ticket)
        this.oracle.publish(ticket.sequence)
      }
      ticket.state = "visible"
      this.resolve(ticket)
      resolved.push(ticket)
    }
    // Waiters run on this stack and may enter commits: only when all of this is consistent.
    for (const ticket of resolved) ticket.onResolved?.()
  }

  private fail(ticket: Ticket, error: DatabaseError): void {
    ticket.state = "failed"
    ticket.error = error
    // Its records are not in the index, and its frame is not in the log: nothing names the files.
    if (isDefinite(error)) for (const file of ticket.files) this.live.removeDirect(ticket.slot, file)
    this.resolve(ticket)
    ticket.onResolved?.()
  }

  private resolve(ticket: Ticket): void {
    this.unresolved -= 1
    ticket.slot.unresolved -= 1
    if (this.unresolved === 0) this.oracle.settle()
  }

  private index(commit: Pick<Ticket, "slot" | "offset" | "bytes" | "sequence">): void {
    const { bytes, offset, sequence } = commit
    const { memtable } = commit.slot
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

  private learn(slot: Slot, offset: number, sequence: number): void {
    const { bytes, used } = slot.memtable.arena
    const { record } = this
    for (let at = offset + commitHeaderBytes; at < used; at = record.end) {
      readRecord(bytes, at, used, record)
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
