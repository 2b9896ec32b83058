// Damage in one of several files: what a decoder says, and which file it read.
import { FormatError } from "../format/formatError.ts"
import type { JobFile } from "./jobRequest.ts"

export class FileDamage extends Error {
  readonly file: JobFile
  readonly error: FormatError

  constructor(file: JobFile, error: FormatError) {
    super(`${file.kind} ${file.number}, at ${error.offset}: ${error.message}`)
    this.name = "FileDamage"
    this.file = file
    this.error = error
  }
}

/** Runs a decoder over bytes of the file. Throws `FileDamage` where it throws `FormatError`. */
export const inFile = <A>(file: JobFile, decode: () => A): A => {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw new FileDamage(file, error)
  }
}

export const inTable = <A>(number: number, decode: () => A): A => inFile({ kind: "table", number }, decode)
