/**
 * Unpredictable bytes from Node, and what tells a moment of a process from every other.
 *
 * @since 0.1.0
 */
import { randomFillSync } from "node:crypto"
import { writeU32, writeU64 } from "../internal/format/bytes.ts"
import type { Entropy } from "../internal/engine/entropy.ts"

let calls = 0

/** @internal */
export const entropy: Entropy = {
  // Never from the pool of small buffers, where a copy would stay behind.
  bytes: (length) => randomFillSync(new Uint8Array(length)),
  moment: () => {
    const moment = new Uint8Array(28)
    writeU32(moment, 0, process.pid)
    writeU64(moment, 4, calls++)
    new DataView(moment.buffer).setBigUint64(12, process.hrtime.bigint(), true)
    new DataView(moment.buffer).setFloat64(20, Date.now(), true)
    return moment
  }
}
