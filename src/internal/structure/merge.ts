// Several sources as one: keys in order, each once, at the version of the first source that has it. Sources are given
// newest first, and each shows only what the reader may see, so the first one's version is the newest and sequences
// need no comparison. What range removals hide is shown too; the coverage says what that is.
//
// With at most a few dozen sources a linear search of the smallest key is as fast as a heap and has no state to keep.
// As long as one source alone has the next keys, a step compares its key with one other, that of the source which comes
// next (the rival): keys that lie together mostly come from one source.
import { compareBytes } from "../format/compare.ts"
import { assert } from "../format/formatError.ts"
import { Coverage, further, isWithin, type Reach } from "./coverage.ts"
import type { EntryView, Request } from "./entry.ts"
import type { Source, Target } from "./source.ts"

export class Merge {
  /** `undefined` if no source has range removals. */
  readonly coverage: Coverage | undefined
  private readonly sources: ReadonlyArray<Source>
  /** Sources whose move is begun and not finished. */
  private readonly moving: Uint8Array
  /** Sources that stand on the current key. */
  private readonly tied: Uint8Array
  /** Sources that hold no more keys that the walk could show, wherever they stand. Until the next search. */
  private readonly ended: Uint8Array | undefined
  private current = -1
  /** Only the current source stands on the current key, and only it may be moving. */
  private alone = false
  /** Then: the source with the next key of all others; -1 if they have none. */
  private rival = -1
  private forward = true
  private settled = true

  constructor(sources: ReadonlyArray<Source>) {
    this.sources = sources
    this.moving = new Uint8Array(sources.length)
    this.tied = new Uint8Array(sources.length)
    this.coverage = Coverage.of(sources)
    this.ended = this.coverage === undefined ? undefined : new Uint8Array(sources.length)
  }

  get valid(): boolean {
    return this.current >= 0
  }

  /** The current record. Only when valid. */
  get entry(): EntryView {
    return this.sources[this.current]!.entry
  }

  /** Which source the current record is of. */
  get source(): number {
    return this.current
  }

  seek(target: Target): void {
    for (let index = 0; index < this.sources.length; index++) this.sources[index]!.seek(target)
    this.search(target.forward)
  }

  seekEnd(forward: boolean): void {
    for (let index = 0; index < this.sources.length; index++) this.sources[index]!.seekEnd(forward)
    this.search(forward)
  }

  /** To the next key in the direction. Only when valid. */
  move(forward: boolean): void {
    if (forward !== this.forward) {
      const { bytes, keyEnd, keyStart } = this.entry
      this.seek({ key: bytes, start: keyStart, end: keyEnd, forward, inclusive: false })
      return
    }
    this.settled = false
    if (this.alone) {
      this.sources[this.current]!.move(forward)
      return
    }
    for (let index = 0; index < this.sources.length; index++) {
      if (this.tied[index] === 1) {
        this.sources[index]!.move(forward)
        this.moving[index] = 1
      }
    }
  }

  /**
   * On from the current key, which the coverage, asked about it, hides: to the next key that is not hidden by an
   * earlier source than its own. `isBeyond` says that no key that is wanted lies beyond a reach.
   */
  skip(isBeyond: (reach: Reach) => boolean): void {
    const { forward, sources, tied } = this
    const ended = this.ended!
    const { bound, holdsAtBound, source: covering } = this.coverage!
    const { bytes, keyEnd, keyStart } = this.entry
    const place = { key: bytes, start: keyStart, end: keyEnd, forward }
    let isMoved = false
    for (let index = 0; index <= covering; index++) {
      if (tied[index] === 0) continue
      sources[index]!.move(forward)
      this.moving[index] = 1
      isMoved = true
    }
    let reach: Reach = { bound: bound!, holdsAtBound }
    let asked = covering
    for (let index = covering + 1; index < sources.length; index++) {
      const source = sources[index]!
      if (!source.valid || ended[index] === 1 || !isWithin(source.entry, reach, forward)) continue
      for (; asked < index; asked++) reach = further(reach, sources[asked]!.removals?.reach(place), forward)
      if (isBeyond(reach)) ended[index] = 1
      else source.seek(after(reach, forward))
      this.moving[index] = 1
      isMoved = true
    }
    assert(isMoved, "a key that is hidden is passed over")
    this.begin(forward)
  }

  /** Finishes the move. What is needed for it is returned; call again when that is answered. */
  resume(): Request | undefined {
    if (this.settled) return undefined
    if (this.alone) {
      const source = this.sources[this.current]!
      const needed = source.resume()
      if (needed !== undefined) return needed
      if (source.valid && (this.rival < 0 || this.order(source.entry, this.sources[this.rival]!.entry) < 0)) {
        this.settled = true
        return undefined
      }
    }
    for (let index = 0; index < this.sources.length; index++) {
      if (this.moving[index] === 0) continue
      const needed = this.sources[index]!.resume()
      if (needed !== undefined) return needed
      this.moving[index] = 0
    }
    this.pick()
    this.settled = true
    return undefined
  }

  private search(forward: boolean): void {
    this.begin(forward)
    this.moving.fill(1)
    this.ended?.fill(0)
    this.coverage?.forget()
  }

  private begin(forward: boolean): void {
    this.forward = forward
    this.settled = false
    this.alone = false
  }

  private pick(): void {
    const { ended } = this
    let best = -1
    let rival = -1
    let isTied = false
    for (let index = 0; index < this.sources.length; index++) {
      this.tied[index] = 0
      const source = this.sources[index]!
      if (!source.valid || (ended !== undefined && ended[index] === 1)) continue
      const order = best < 0 ? -1 : this.order(source.entry, this.sources[best]!.entry)
      if (order > 0) {
        if (rival < 0 || this.order(source.entry, this.sources[rival]!.entry) < 0) rival = index
        continue
      }
      isTied = order === 0
      if (order < 0) {
        if (best >= 0) this.tied.fill(0, 0, index)
        rival = best
        best = index
      }
      this.tied[index] = 1
    }
    this.current = best
    this.rival = rival
    this.alone = best >= 0 && !isTied
  }

  /** Negative if `a` comes before `b` in the direction. */
  private order(a: EntryView, b: EntryView): number {
    const order = compareBytes(a.bytes, a.keyStart, a.keyEnd, b.bytes, b.keyStart, b.keyEnd)
    return this.forward ? order : -order
  }
}

const after = ({ bound, holdsAtBound }: Reach, forward: boolean): Target => ({
  key: bound,
  start: 0,
  end: bound.length,
  forward,
  inclusive: !holdsAtBound
})
