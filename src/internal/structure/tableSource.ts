// A table as a source of a merge. The versions of a key may lie in several blocks, and any block may have to be loaded
// first, so each move is a small state machine whose position survives a request:
//
//   place     find the block where the move begins, in the table's index
//   forward   find the place, then walk over versions that are too new and over older versions of the key it comes from
//   backward  find the key before the place (whose last entry is its oldest version), then search that key's newest
//   visible version from its front
//
// The second search of the backward walk is skipped when the key has one version, which the entry before it shows.
import { equalBytes } from "../format/compare.ts"
import { type SourceRemovals, tableRemovals } from "./coverage.ts"
import {
  type BlockLike,
  BlockRequest,
  emptyEntry,
  type EntryView,
  PartsRequest,
  type PartsLike,
  PlaceRequest,
  type Request,
  type TableLike
} from "./entry.ts"
import type { Source, Target } from "./source.ts"

const idle = 0
const seekForward = 1
const walkForward = 2
const seekBackward = 3
const lastOfBlock = 4
const seekNewest = 5

const nothing = new Uint8Array(0)
/** Behind every block. */
const beyond = 2 ** 30

export class TableSource implements Source {
  valid = false
  readonly entry: EntryView = emptyEntry()
  readonly removals: SourceRemovals | undefined
  private readonly table: TableLike
  private readonly sequence: number
  private readonly probe: EntryView = emptyEntry()
  private state = idle
  /** Kept from its first use on: a walk over a table needs them in each of its blocks. */
  private parts: PartsLike | undefined = undefined
  /** The block where the move begins is the one that the index names for the target. */
  private placing = false
  private placeRequest: PlaceRequest | undefined = undefined
  private request: PartsRequest | BlockRequest | undefined = undefined
  private block: BlockLike | undefined = undefined
  private ordinal = 0
  private index = 0
  // The place searched for, or the key that a forward walk must leave behind.
  private target: Uint8Array = nothing
  private targetStart = 0
  private targetEnd = 0
  private inclusive = true
  private leaving = false

  constructor(table: TableLike, sequence: number) {
    this.table = table
    this.sequence = sequence
    this.removals = tableRemovals(table, sequence)
  }

  seek(target: Target): void {
    this.aim(target.key, target.start, target.end)
    this.inclusive = target.inclusive
    // Versions of the target may go on in the next block.
    this.leaving = !target.inclusive
    this.find(target.forward ? seekForward : seekBackward)
  }

  seekEnd(forward: boolean): void {
    this.leaving = false
    this.placing = false
    if (forward) {
      this.ordinal = 0
      this.index = 0
      this.state = walkForward
    } else {
      this.ordinal = beyond
      this.state = lastOfBlock
    }
  }

  move(forward: boolean): void {
    const { bytes, keyEnd, keyStart } = this.entry
    this.aim(bytes, keyStart, keyEnd)
    if (forward) {
      if (this.stepsOn()) return
      this.leaving = true
      this.index += 1
      this.state = walkForward
    } else if (!this.stepsBack()) {
      this.seekBefore()
    }
  }

  resume(): Request | undefined {
    while (this.state !== idle) {
      const needed = this.step()
      if (needed !== undefined) return needed
    }
    return undefined
  }

  private step(): Request | undefined {
    const { parts } = this
    if (parts === undefined) return this.open()
    if (this.placing) return this.place(parts)
    const isForward = this.state === seekForward || this.state === walkForward
    return isForward ? this.forward(parts.blockCount) : this.backward(parts.blockCount)
  }

  private open(): Request | undefined {
    const { request, table } = this
    this.parts = (request !== undefined && request.want === "parts" ? request.parts : undefined) ?? table.partsUnsafe()
    if (this.parts !== undefined) return undefined
    this.request = new PartsRequest(table)
    return this.request
  }

  private place(parts: PartsLike): Request | undefined {
    const { placeRequest, target, targetEnd, targetStart } = this
    this.ordinal = placeRequest?.ordinal ?? parts.blockFor(target, targetStart, targetEnd)
    if (this.ordinal < 0) {
      this.placeRequest = new PlaceRequest(this.table, target, targetStart, targetEnd)
      return this.placeRequest
    }
    this.placing = false
    return undefined
  }

  /** The move goes on, in the given state, where the index finds the target. */
  private find(state: number): void {
    this.placing = true
    this.placeRequest = undefined
    this.state = state
  }

  private aim(key: Uint8Array, start: number, end: number): void {
    this.target = key
    this.targetStart = start
    this.targetEnd = end
  }

  private finish(valid: boolean): undefined {
    this.valid = valid
    this.state = idle
    return undefined
  }

  private isTarget(view: EntryView): boolean {
    return equalBytes(view.bytes, view.keyStart, view.keyEnd, this.target, this.targetStart, this.targetEnd)
  }

  /** Makes the block at `ordinal` current, or returns the request for it. */
  private need(): Request | undefined {
    const { request } = this
    const isAnswer = request !== undefined && request.want === "block" && request.ordinal === this.ordinal
    const block = (isAnswer ? request.block : undefined) ?? this.table.blockUnsafe(this.ordinal)
    if (block === undefined) {
      this.request = new BlockRequest(this.table, this.ordinal)
      return this.request
    }
    this.block = block
    return undefined
  }

  private forward(blockCount: number): Request | undefined {
    if (this.ordinal >= blockCount) return this.finish(false)
    const needed = this.need()
    if (needed !== undefined) return needed
    const block = this.block!
    if (this.state === seekForward) {
      // With sequence -1 no version of the target itself qualifies: the first key after it.
      const sequence = this.inclusive ? this.sequence : -1
      this.index = block.seekVersion(this.target, this.targetStart, this.targetEnd, sequence)
      this.state = walkForward
    }
    while (this.index < block.count) {
      block.read(this.index, this.entry)
      if (this.entry.sequence <= this.sequence && !(this.leaving && this.isTarget(this.entry))) return this.finish(true)
      this.index += 1
    }
    this.ordinal += 1
    this.index = 0
    return undefined
  }

  private backward(blockCount: number): Request | undefined {
    if (this.ordinal < 0) return this.finish(false)
    if (this.ordinal >= blockCount) {
      this.ordinal = blockCount - 1
      this.state = lastOfBlock
      return undefined
    }
    const needed = this.need()
    if (needed !== undefined) return needed
    const block = this.block!
    if (this.state === seekNewest) return this.newest(block, blockCount)
    if (this.state === lastOfBlock) {
      this.stepBack(block.count - 1)
      return undefined
    }
    const after = this.inclusive
      ? block.seekVersion(this.target, this.targetStart, this.targetEnd, -1)
      : block.seek(this.target, this.targetStart, this.targetEnd)
    if (after > 0) {
      this.stepBack(after - 1)
    } else {
      this.ordinal -= 1
      this.state = lastOfBlock
    }
    return undefined
  }

  /**
   * Whether the entry behind the current one, in the same block, is of another key that the reader sees: then the move
   * is finished by it, as nearly all are. Through the states it would take twice as long.
   */
  private stepsOn(): boolean {
    const { block, entry } = this
    const index = this.index + 1
    if (block === undefined || index >= block.count) return false
    block.read(index, entry)
    if (entry.sequence > this.sequence || this.isTarget(entry)) return false
    this.index = index
    return true
  }

  /**
   * Whether the entry before the current one, in the same block, is of another key: then the move is finished by it.
   */
  private stepsBack(): boolean {
    if (this.index === 0) return false
    this.block!.read(this.index - 1, this.probe)
    if (this.isTarget(this.probe)) return false
    this.stepBack(this.index - 1)
    return true
  }

  /** Entry `index` of the current block is the oldest version of the key to stand on. */
  private stepBack(index: number): void {
    const block = this.block!
    block.read(index, this.probe)
    this.aim(this.probe.bytes, this.probe.keyStart, this.probe.keyEnd)
    if (index > 0 && this.probe.sequence <= this.sequence) {
      block.read(index - 1, this.probe)
      if (!this.isTarget(this.probe)) {
        block.read(index, this.entry)
        this.index = index
        this.finish(true)
        return
      }
    }
    this.find(seekNewest)
  }

  private newest(block: BlockLike, blockCount: number): undefined {
    const index = block.seekVersion(this.target, this.targetStart, this.targetEnd, this.sequence)
    if (index === block.count && this.ordinal + 1 < blockCount) {
      // All of the key's versions here are too new, and more may follow in the next block.
      this.ordinal += 1
      return undefined
    }
    if (index < block.count) {
      block.read(index, this.entry)
      if (this.isTarget(this.entry)) {
        this.index = index
        return this.finish(true)
      }
    }
    // No version of it can be seen: go on before it.
    this.seekBefore()
    return undefined
  }

  /**
   * From the first block that can hold the target, not the current one: newer versions of it may end an earlier block.
   */
  private seekBefore(): void {
    this.inclusive = false
    this.find(seekBackward)
  }
}
