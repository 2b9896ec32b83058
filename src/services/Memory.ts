/**
 * What the runtime can do about memory that is shared with users.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * The port of the runtime's memory.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoryShape {
  /**
   * Makes a buffer that several values share impossible to transfer to another thread: a transfer would empty the
   * values of everybody else. Does nothing where the runtime cannot.
   */
  readonly keepHere: (buffer: ArrayBuffer) => void
}

/**
 * The runtime's memory. The default protects nothing; `NodeMemory.layer` does.
 *
 * @since 0.1.0
 * @category services
 */
export const Memory = Context.Reference<MemoryShape>("strata/Memory", {
  defaultValue: () => ({ keepHere: () => {} })
})
