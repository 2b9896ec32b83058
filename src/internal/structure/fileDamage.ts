// Damage in one of several files: what a decoder says, and the number of the table that it read.
import { FormatError } from "../format/formatError.ts"

export class FileDamage extends Error {
  readonly number: number
  readonly error: FormatError

  constructor(number: number, error: FormatError) {
    super(`table ${number}, at ${error.offset}: ${error.message}`)
    this.name = "FileDamage"
    this.number = number
    this.error = error
  }
}

/** Runs a decoder over bytes of the table. Throws `FileDamage` where it throws `FormatError`. */
export const inTable = <A>(number: number, decode: () => A): A => {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw new FileDamage(number, error)
  }
}
