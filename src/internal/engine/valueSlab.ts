// Values handed to users are theirs to keep, so they are copied out of arenas and blocks. A fresh ArrayBuffer costs
// about 1 µs, a view into a slab 0.13 µs (PERFORMANCE.md §1), so small ones share slabs; a slab is small, because
// whoever keeps one value keeps its slab alive.
import { copyBytes } from "../format/bytes.ts"

const slabBytesDefault = 4096
/** Of a slab, values above this share own their buffer. */
const sharedPart = 8

export class ValueSlab {
  private slab = new Uint8Array(0)
  private used = 0
  private readonly slabBytes: number
  private readonly sharedBytesMax: number
  private readonly keepHere: (buffer: ArrayBuffer) => void
  /** Where the room begins that was found last. */
  start = 0

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
    return new Uint8Array(slab.buffer, this.start, length)
  }

  /** The memory in which so many bytes, from `start` on, are the caller's. */
  room(length: number): Uint8Array<ArrayBuffer> {
    if (length > this.slab.length - this.used) {
      if (length > this.sharedBytesMax) {
        this.start = 0
        return new Uint8Array(length)
      }
      this.slab = new Uint8Array(this.slabBytes)
      this.keepHere(this.slab.buffer)
      this.used = 0
    }
    this.start = this.used
    this.used += length
    return this.slab
  }
}
