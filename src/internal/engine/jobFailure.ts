// What a worker says of a failed job, as the error of users.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import { DiskError } from "../../services/Disk.ts"
import { FormatError } from "../format/formatError.ts"
import type { JobFailure } from "../structure/jobMessages.ts"
import { ofDisk, ofFormat } from "./diskErrors.ts"
import { jobFilePath, missingFile } from "./jobFiles.ts"
import type { JobParts } from "./jobSetup.ts"
import { ofRead } from "./opening.ts"

/** Without its codecs nothing has failed: the job runs elsewhere. */
export const ofFailure = (
  parts: JobParts,
  failure: Exclude<JobFailure, { readonly _tag: "Codecs" }>
): Effect.Effect<never, DatabaseError> => {
  switch (failure._tag) {
    case "Disk": {
      const { code, file, offset, operation } = failure
      if (operation === "open" && code === "ENOENT") return Effect.fail(missingFile(parts, file))
      const at = offset === undefined ? {} : { offset }
      const error = new DiskError({ operation, file: jobFilePath(parts, file), code, ...at })
      return Effect.fail(operation === "read" ? ofRead(error) : ofDisk(error))
    }
    case "Damage": {
      const { file, message, offset, tampered, unsupported } = failure
      return Effect.fail(
        ofFormat(new FormatError(message, offset, { tampered, unsupported }), jobFilePath(parts, file))
      )
    }
    case "Cancelled":
      return Effect.interrupt
    case "Bug":
      return Effect.die(new Error(`a bug in a job: ${failure.message}`))
  }
}
