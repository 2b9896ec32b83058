// Memory that is handed out from one end and taken back all at once: where commits' records lie from the moment they
// are encoded until their flush is installed, and where the conflict index keeps its keys.
//
// Nothing in an arena is ever moved or freed singly, so an offset stays good until `reset`. That is what lets the
// indexes over it store offsets only. In a GrowingArena the bytes behind an offset move to a new buffer when it grows:
// read `bytes` again after every `reserve`.
import { assert } from "../format/formatError.ts"

/** Offsets are kept as u32 and compared as signed integers in places, so 2 GiB is the end of the world. */
export const arenaBytesMax = 0x7fff_ffff

/** What the indexes ask of the memory that they index. */
export interface ArenaLike {
  /** The most that can ever be in use. */
  readonly capacity: number
  /** The memory itself: at least the first `used` bytes. */
  readonly bytes: Uint8Array
  readonly used: number
  /** The offset of `bytes` fresh bytes, or -1 when they do not fit. The bytes are not cleared. */
  reserve(bytes: number): number
  /** Takes everything back. */
  reset(): void
}

/** A fixed arena over a buffer that the caller gives: a `SharedArrayBuffer` where a worker is to read it. */
export class Arena implements ArenaLike {
  readonly capacity: number
  readonly bytes: Uint8Array
  used = 0

  constructor(buffer: ArrayBuffer | SharedArrayBuffer) {
    assert(buffer.byteLength <= arenaBytesMax, "an arena is larger than its offsets reach")
    this.capacity = buffer.byteLength
    this.bytes = new Uint8Array(buffer)
  }

  reserve(bytes: number): number {
    assert(bytes >= 0, "an arena cannot reserve a negative number of bytes")
    const offset = this.used
    if (bytes > this.capacity - offset) return -1
    this.used = offset + bytes
    return offset
  }

  reset(): void {
    this.used = 0
  }
}

/** An arena that starts small and doubles, for what is usually nearly empty. `reset` gives the memory back too. */
export class GrowingArena implements ArenaLike {
  readonly capacity: number
  readonly bytesInitial: number
  /** Replaced when the arena grows. */
  bytes: Uint8Array
  used = 0

  constructor(options: { readonly bytesInitial: number; readonly bytesMax: number }) {
    assert(options.bytesMax <= arenaBytesMax, "an arena is larger than its offsets reach")
    this.capacity = options.bytesMax
    this.bytesInitial = Math.min(options.bytesInitial, options.bytesMax)
    this.bytes = new Uint8Array(this.bytesInitial)
  }

  reserve(bytes: number): number {
    assert(bytes >= 0, "an arena cannot reserve a negative number of bytes")
    const offset = this.used
    if (bytes > this.capacity - offset) return -1
    if (bytes > this.bytes.length - offset) this.grow(offset + bytes)
    this.used = offset + bytes
    return offset
  }

  reset(): void {
    this.used = 0
    if (this.bytes.length !== this.bytesInitial) this.bytes = new Uint8Array(this.bytesInitial)
  }

  private grow(needed: number): void {
    let length = Math.max(this.bytes.length, 16)
    while (length < needed) length *= 2
    const grown = new Uint8Array(Math.min(length, this.capacity))
    grown.set(this.bytes.subarray(0, this.used))
    this.bytes = grown
  }
}
