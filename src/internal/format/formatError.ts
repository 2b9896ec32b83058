// What decoders throw for bytes that are not what was written, and what writers throw for our own mistakes.
//
// Whoever called into `internal/format` maps a FormatError once, at the edge, to `Corruption` (or, if `unsupported`, to
// `Unsupported`) with the file's name. Anything else that is thrown is a bug and must stay a defect.

/** Bytes that cannot be used. `offset` counts from the start of the bytes (or the file) that the decoder was given. */
export class FormatError extends Error {
  readonly offset: number
  /** The bytes are sound, and of a later version of Strata than this one. */
  readonly unsupported: boolean

  constructor(message: string, offset: number, options?: { readonly unsupported: boolean }) {
    super(message)
    this.name = "FormatError"
    this.offset = offset
    this.unsupported = options?.unsupported ?? false
  }
}

/** Sound bytes that only a later version understands. */
export const unsupported = (message: string, offset: number): FormatError =>
  new FormatError(message, offset, { unsupported: true })

/** For what only a bug of ours can break. Never for what stands on a disk. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`)
}
