// What a job has to know of the database before it runs, and numbers and ids for its new tables.
import * as Effect from "effect/Effect"
import type { DiskService } from "../../services/Disk.ts"
import type { EncryptionService } from "../../services/Encryption.ts"
import type { Job } from "../../services/Jobs.ts"
import type { ManifestService } from "../../services/Manifest.ts"
import type { OptionsShape } from "../../services/Options.ts"
import { formatVersion } from "../format/fileHeader.ts"
import type { NewFile } from "../structure/jobRequest.ts"
import { filesExpected, type JobSetup } from "../structure/jobWork.ts"
import { randomBytes } from "./randomId.ts"

export interface JobParts {
  readonly options: OptionsShape
  readonly disk: DiskService
  readonly manifest: ManifestService
  readonly encryption: EncryptionService
}

/** Given out when a job asks for more. */
const filesMore = 8

const newFiles = ({ manifest }: JobParts, count: number): Effect.Effect<ReadonlyArray<NewFile>> =>
  Effect.map(randomBytes(32 * count), (ids) =>
    Array.from({ length: count }, (_, index) => ({
      number: manifest.allocateFileNumber(),
      fileId: ids.slice(index * 32, (index + 1) * 32)
    }))
  )

export const moreFiles = (parts: JobParts): Effect.Effect<ReadonlyArray<NewFile>> => newFiles(parts, filesMore)

export const jobSetup = (parts: JobParts, job: Job): Effect.Effect<JobSetup> => {
  const { encryption, manifest, options } = parts
  const { databaseId, incarnation } = manifest.state()
  return Effect.map(newFiles(parts, filesExpected(job)), (files) => ({
    databaseId,
    incarnation,
    epoch: manifest.epochNext,
    format: formatVersion,
    tagBytes: encryption.tagBytes,
    keyGeneration: encryption.keyGeneration,
    blockBytes: options.blockBytes,
    filterBitsPerKey: options.filterBitsPerKey,
    files
  }))
}
