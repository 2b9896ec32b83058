/**
 * Memory under Node.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import { markAsUntransferable } from "node:worker_threads"
import { Memory } from "../services/Memory.ts"

/**
 * Buffers that values share are marked untransferable: `postMessage` and `structuredClone` refuse to transfer them.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<never> = Layer.succeed(Memory, { keepHere: markAsUntransferable })
