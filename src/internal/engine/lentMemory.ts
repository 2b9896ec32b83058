// Memory that blocks are read to which are looked at once, on the calling stack, and not kept: the same for all of
// them. A buffer of their own would cost as much as half the read, and stay until V8 looks for dead ones outside of its
// heap. Measured with 10 M keys, of which few are cached: see the commit.

/** Longer blocks, of long values, get buffers of their own. */
const lentBytesMax = 32 * 1024

export class LentMemory {
  private bytes: Uint8Array | undefined = undefined

  /** For so many bytes; until the next call. */
  of(length: number): Uint8Array | undefined {
    if (length > lentBytesMax) return undefined
    this.bytes ??= new Uint8Array(lentBytesMax)
    return this.bytes
  }
}
