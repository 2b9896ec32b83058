// What decoders throw for bytes that are not what was written, and what writers throw for our own mistakes.
//
// Whoever called into `internal/format` maps a FormatError once, at the edge, to `Corruption` (or, if `unsupported`, to
// `Unsupported`, and if `tampered`, to `Tampered`) with the file's name. Anything else that is thrown is a bug and must
// stay a defect. Whoever throws one again, with more words, keeps what it is (`again`).

/** Bytes that cannot be used. `offset` counts from the start of the bytes (or the file) that the decoder was given. */
export class FormatError extends Error {
  readonly offset: number
  /** The bytes are sound, and of a later version of Strata than this one. */
  readonly unsupported: boolean
  /** A seal with a key does not match: not an accident's work, as far as can be told. */
  readonly tampered: boolean

  constructor(
    message: string,
    offset: number,
    options?: { readonly unsupported?: boolean; readonly tampered?: boolean }
  ) {
    super(message)
    this.name = "FormatError"
    this.offset = offset
    this.unsupported = options?.unsupported ?? false
    this.tampered = options?.tampered ?? false
  }
}

/** Sound bytes that only a later version understands. */
export const unsupported = (message: string, offset: number): FormatError =>
  new FormatError(message, offset, { unsupported: true })

/** Bytes that the holder of the key did not write. */
export const tampered = (message: string, offset: number): FormatError =>
  new FormatError(message, offset, { tampered: true })

/** The same error in other words, or at the place that the caller knows. */
export const again = (error: FormatError, message: string, offset: number): FormatError => {
  const { tampered, unsupported } = error
  return new FormatError(message, offset, { tampered, unsupported })
}

/** For what only a bug of ours can break. Never for what stands on a disk. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`)
}
