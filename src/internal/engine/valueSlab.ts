// Values handed to users are theirs to keep, so they are copied out of arenas and blocks. A fresh ArrayBuffer costs
// about 1 µs, a view into a slab 0.13 µs (PERFORMANCE.md §1), so small ones share slabs; a slab is small, because
// whoever keeps one value keeps its slab alive.
const slabBytes = 4096
/** Values above this own their buffer. */
const sharedBytesMax = 512

export class ValueSlab {
  private slab = new Uint8Array(0)
  private used = 0
  private readonly keepHere: (buffer: ArrayBuffer) => void

  /** `keepHere` is told of each slab: to transfer one would empty the values of everybody who shares it. */
  constructor(keepHere: (buffer: ArrayBuffer) => void) {
    this.keepHere = keepHere
  }

  copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const length = end - start
    if (length > sharedBytesMax) return bytes.slice(start, end)
    if (length > this.slab.length - this.used) {
      this.slab = new Uint8Array(slabBytes)
      this.keepHere(this.slab.buffer)
      this.used = 0
    }
    const value = new Uint8Array(this.slab.buffer, this.used, length)
    this.used += length
    for (let index = 0; index < length; index++) value[index] = bytes[start + index]
    return value
  }
}
