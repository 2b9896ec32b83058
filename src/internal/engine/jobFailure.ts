// What a worker says of a failed job, as the error of users.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import { DiskError } from "../../services/Disk.ts"
import { FormatError } from "../format/formatError.ts"
import type { JobFailure } from "../structure/jobMessages.ts"
import { ofDisk, ofFormat } from "./diskErrors.ts"
import type { JobParts } from "./jobSetup.ts"
import { ofRead } from "./opening.ts"
import { missingTable, tablePath } from "./tableFile.ts"

export const ofFailure = (parts: JobParts, failure: JobFailure): Effect.Effect<never, DatabaseError> => {
  switch (failure._tag) {
    case "Disk": {
      const { code, number, offset, operation } = failure
      if (operation === "open" && code === "ENOENT") return Effect.fail(missingTable(parts, number))
      const at = offset === undefined ? {} : { offset }
      const error = new DiskError({ operation, file: tablePath(parts, number), code, ...at })
      return Effect.fail(operation === "read" ? ofRead(error) : ofDisk(error))
    }
    case "Damage": {
      const { message, number, offset, unsupported } = failure
      return Effect.fail(ofFormat(new FormatError(message, offset, { unsupported }), tablePath(parts, number)))
    }
    case "Cancelled":
      return Effect.interrupt
    case "Bug":
      return Effect.die(new Error(`a bug in a job: ${failure.message}`))
  }
}
