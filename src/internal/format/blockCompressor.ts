// The blocks of one table on their way through a codec. Blocks that do not get shorter cost as much to try as others:
// after some in a row only every so many-th is tried, until one does. Meanwhile they need not be longer than those of
// other tables, which would only make each cold read longer. The same blocks, the same answers.
import { type Codec, compressed } from "./codec.ts"

/** Blocks of which one is tried, at most. */
const strideMax = 16

export class BlockCompressor {
  readonly codec: Codec
  /** In a row, so far as it matters. */
  private misses = 0
  private skips = 0

  constructor(codec: Codec) {
    this.codec = codec
  }

  /** Whether the block that was tried last got shorter; at first it is hoped so. */
  get shortens(): boolean {
    return this.misses === 0
  }

  /** `undefined`: the block stays as it is. */
  compress(plain: Uint8Array): Uint8Array | undefined {
    if (this.skips > 0) {
      this.skips -= 1
      return undefined
    }
    const body = compressed(this.codec, plain)
    this.misses = body === undefined ? Math.min(this.misses + 1, strideMax) : 0
    this.skips = Math.max(0, this.misses - 1)
    return body
  }
}
