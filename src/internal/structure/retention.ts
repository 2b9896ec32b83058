// Which versions a job keeps. Versions come in table order: keys ascending, the sequences of a key descending.
//
// The snapshots cut the sequences into stripes (removalStripes.ts). A version stays if
//
//   it is above the last snapshot, where readers to come may still tell versions apart, or
//   it is the newest of its key in its stripe, so that its snapshot sees it, and no range removal of the same stripe
//   hides it there. (One of a later stripe hides it from later snapshots only.)
//
// An entry that has expired for everybody becomes a removal of the same sequence: what is below it must stay hidden.
//
// A removal that everybody sees goes where no deeper table can hold the key. It is the newest of the oldest stripe, so
// nothing older of the key stays in the job, and nothing older is anywhere else: nothing can come back.
import { ByteWriter } from "../format/bytes.ts"
import type { EntryView } from "../format/blockEntry.ts"
import { compareBytes } from "../format/compare.ts"
import { assert } from "../format/formatError.ts"
import { Kind } from "../format/record.ts"
import type { KeySpans } from "./keySpans.ts"
import { type RemovalStripes, stripeOf } from "./removalStripes.ts"

export class Retention {
  /** Of the version kept last: none of its key was kept before it. */
  isFirstOfKey = false
  /** Of the version kept last: a newer one of its key was kept, or a range removal that later snapshots see. */
  isHidden = false
  private readonly snapshots: ReadonlyArray<number>
  private readonly nowMillis: number
  private readonly removals: RemovalStripes
  private readonly deeper: KeySpans
  private readonly key = new ByteWriter()
  private sequence = Number.POSITIVE_INFINITY
  /** Of the version of the key seen last; -1 if there is none. */
  private stripe = -1
  private started = false
  private kept = false

  constructor(options: {
    readonly snapshots: ReadonlyArray<number>
    readonly nowMillis: number
    readonly removals: RemovalStripes
    readonly deeper: KeySpans
  }) {
    this.snapshots = options.snapshots
    this.nowMillis = options.nowMillis
    this.removals = options.removals
    this.deeper = options.deeper
  }

  /** Whether the version stays. Makes a removal of one that has expired. */
  keeps(entry: EntryView): boolean {
    const { bytes, keyEnd, keyStart, sequence } = entry
    const { key, snapshots } = this
    const order = this.started ? compareBytes(key.bytes, 0, key.offset, bytes, keyStart, keyEnd) : -1
    if (order !== 0) this.begin(entry, order)
    else if (sequence === this.sequence) return false
    assert(sequence < this.sequence, "the sequences of a key descend")
    this.sequence = sequence
    const stripe = stripeOf(snapshots, sequence)
    if (stripe < snapshots.length) {
      if (stripe === this.stripe) return false
      this.stripe = stripe
      if (this.removals.hides(stripe, bytes, keyStart, keyEnd, sequence)) return false
    }
    if (entry.expiresAt > 0 && entry.expiresAt <= this.nowMillis) toRemoval(entry)
    if (entry.kind === Kind.remove && stripe === 0 && snapshots.length > 0) {
      if (!this.deeper.contains(bytes, keyStart, keyEnd)) return false
    }
    this.isFirstOfKey = !this.kept
    this.isHidden = this.kept || this.removals.hidesLater(stripe, bytes, keyStart, keyEnd, sequence)
    this.kept = true
    return true
  }

  private begin({ bytes, keyEnd, keyStart }: EntryView, order: number): void {
    assert(order < 0, "keys ascend")
    this.key.reset()
    this.key.range(bytes, keyStart, keyEnd)
    this.sequence = Number.POSITIVE_INFINITY
    this.stripe = -1
    this.started = true
    this.kept = false
  }
}

const toRemoval = (entry: EntryView): void => {
  entry.kind = Kind.remove
  entry.flags = 0
  entry.valueEnd = entry.valueStart
  entry.expiresAt = 0
  entry.userMeta = 0
}
