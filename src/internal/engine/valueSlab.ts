// Values handed to users are theirs to keep, so they are copied out of arenas and blocks. A fresh ArrayBuffer costs
// about 1 µs, a view into a slab 0.13 µs (PERFORMANCE.md §1), so small ones share slabs; a slab is small, because
// whoever keeps one value keeps its slab alive. Its buffer is kept beside it: to ask a view for its buffer is a call
// out of the engine, which costs a quarter of making a view.
import { copyBytes } from "../format/bytes.ts"

const slabBytesDefault = 4096
/** Of a slab, values above this share own their buffer. */
const sharedPart = 8

const nothing = new Uint8Array(0)

export class ValueSlab {
  private slab = nothing
  private slabBuffer = nothing.buffer
  private used = 0
  private readonly slabBytes: number
  private readonly sharedBytesMax: number
  private readonly keepHere: (buffer: ArrayBuffer) => void
  /** Where the room begins that was found last, and its buffer. */
  start = 0
  buffer = nothing.buffer

  /** `keepHere` is told of each slab: to transfer one would empty the values of everybody who shares it. */
  constructor(keepHere: (buffer: ArrayBuffer) => void, slabBytes = slabBytesDefault) {
    this.keepHere = keepHere
    this.slabBytes = slabBytes
    this.sharedBytesMax = slabBytes / sharedPart
  }

  /** Another one, with slabs of so many bytes: for what is seldom kept. */
  withSlabs(slabBytes: number): ValueSlab {
    return new ValueSlab(this.keepHere, slabBytes)
  }

  copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const length = end - start
    if (length > this.sharedBytesMax) return bytes.slice(start, end)
    const slab = this.room(length)
    copyBytes(slab, this.start, bytes, start, end)
    return new Uint8Array(this.buffer, this.start, length)
  }

  /** The memory in which so many bytes, from `start` on, are the caller's. */
  room(length: number): Uint8Array<ArrayBuffer> {
    if (length > this.slab.length - this.used) {
      if (length > this.sharedBytesMax) {
        const alone = new Uint8Array(length)
        this.start = 0
        this.buffer = alone.buffer
        return alone
      }
      this.slab = new Uint8Array(this.slabBytes)
      this.slabBuffer = this.slab.buffer
      this.keepHere(this.slabBuffer)
      this.used = 0
    }
    this.buffer = this.slabBuffer
    this.start = this.used
    this.used += length
    return this.slab
  }
}
