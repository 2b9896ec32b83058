// Which values of a commit go to value files, and the commit's request when they have.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import { invalid } from "../../services/DatabaseError.ts"
import type { OptionsShape } from "../../services/Options.ts"
import { commitHeaderBytes } from "../format/commit.ts"
import { Kind, recordBytes, type RecordFields, writeRecord } from "../format/record.ts"
import { handleBytesMax } from "../format/valueHandle.ts"
import { chooseSpilled, type Spillable, spillBytesMin } from "../structure/spill.ts"
import type { CommitRequest } from "./commitQueue.ts"
import type { CommitValues } from "./commitValues.ts"
import type { DirectValue, DirectValues } from "./directValues.ts"
import type { Write } from "./requests.ts"

const nothing = new Uint8Array(0)

/** Writes the values that are to be moved out, and returns the records of all the writes, in their order. */
export const separate = (
  direct: DirectValues,
  writes: ReadonlyArray<Write>,
  into: CommitValues
): Effect.Effect<ReadonlyArray<RecordFields>, DatabaseError> => {
  const moved = writes.filter((write): write is DirectValue => write.value !== undefined)
  return Effect.map(direct.write(moved, into), (records) => {
    let next = 0
    return writes.map((write) => (write.value === undefined ? write.fields : records[next++]!))
  })
}

/** Of records that are normalised. */
export const requestOf = (records: ReadonlyArray<RecordFields>, values: CommitValues): CommitRequest => ({
  recordBytes: records.reduce((sum, fields) => sum + recordBytes(fields), 0),
  count: records.length,
  removesOnly: records.every(({ kind }) => kind === Kind.remove || kind === Kind.removeRange),
  encode: (target, offset) => {
    let at = offset
    for (const fields of records) at = writeRecord(target, at, fields)
  },
  values
})

/** What the records of a commit may take. */
export const roomOf = ({ arenaBytes, transactionBytesMax }: OptionsShape): number =>
  Math.min(arenaBytes - commitHeaderBytes, transactionBytesMax)

/** The same writes, with more values to be moved out if they would not fit otherwise. Throws `Invalid`. */
export const planValues = (writes: ReadonlyArray<Write>, roomBytes: number): ReadonlyArray<Write> => {
  const chosen = chooseSpilled(writes.map(spillable), roomBytes)
  if (chosen === undefined) {
    throw invalid(
      `the commit needs more than ${roomBytes} bytes, with its values in files of their own; split it, or open the ` +
        `database with a larger arenaBytes and transactionBytesMax`
    )
  }
  if (chosen.length === 0) return writes
  const moved = new Set(chosen)
  return writes.map((write, index) => (moved.has(index) ? { ...write, value: valueOf(write.fields) } : write))
}

const spillable = ({ fields, value }: Write): Spillable => {
  const withHandle = recordBytes({ ...fields, value: nothing, valueStart: 0, valueEnd: handleBytesMax })
  if (value !== undefined) return { inlineBytes: withHandle, handleBytes: withHandle }
  const inlineBytes = recordBytes(fields)
  const isMovable = fields.kind === Kind.set && fields.valueEnd - fields.valueStart >= spillBytesMin
  return { inlineBytes, handleBytes: isMovable ? withHandle : inlineBytes }
}

const valueOf = ({ value, valueEnd, valueStart }: RecordFields): Uint8Array => value.subarray(valueStart, valueEnd)
