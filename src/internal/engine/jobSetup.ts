// What a job has to know of the database before it runs, and numbers and ids for its new files.
import type { DiskService } from "../../services/Disk.ts"
import type { FileEncryption } from "../../services/Encryption.ts"
import type { CollectJob, MergeJob } from "../../services/Jobs.ts"
import type { ManifestService } from "../../services/Manifest.ts"
import type { OptionsShape } from "../../services/Options.ts"
import { formatVersion } from "../format/fileHeader.ts"
import type { NewFile } from "../structure/jobRequest.ts"
import { filesExpected, type JobSetup } from "../structure/jobWork.ts"
import type { RandomService } from "./randomId.ts"

export interface JobParts {
  readonly options: OptionsShape
  readonly disk: DiskService
  readonly manifest: ManifestService
  readonly encryption: FileEncryption
  readonly random: RandomService
}

/** Given out when a job asks for more. */
const filesMore = 8

const newFiles = ({ encryption, manifest, random }: JobParts, count: number): ReadonlyArray<NewFile> =>
  Array.from({ length: count }, () => ({
    number: manifest.allocateFileNumber(),
    fileId: encryption.newFileId(random)
  }))

export const moreFiles = (parts: JobParts): ReadonlyArray<NewFile> => newFiles(parts, filesMore)

/** Any job. */
export type Job = MergeJob | CollectJob

export const jobSetup = (parts: JobParts, job: Job): JobSetup => {
  const { encryption, manifest, options } = parts
  const { databaseId, incarnation } = manifest.state()
  return {
    databaseId,
    incarnation,
    epoch: manifest.epochNext,
    format: formatVersion,
    tagBytes: encryption.tagBytes,
    keyGeneration: encryption.keyGeneration(),
    blockBytes: options.blockBytes,
    filterBitsPerKey: options.filterBitsPerKey,
    indexBytesMax: options.indexBytesMax,
    files: newFiles(parts, filesExpected(job))
  }
}
