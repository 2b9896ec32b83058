// What a job has to know of the database before it runs, and numbers and ids for its new files.
import type { DiskService } from "../../services/Disk.ts"
import type { FileEncryption } from "../../services/Encryption.ts"
import type { CollectJob, MergeJob } from "../../services/Jobs.ts"
import type { ManifestService, TableMeta } from "../../services/Manifest.ts"
import { blockBytesMax, type OptionsShape } from "../../services/Options.ts"
import { formatVersion } from "../format/fileHeader.ts"
import type { NewFile } from "../structure/jobRequest.ts"
import { filesExpected, isCollect, type JobSetup } from "../structure/jobWork.ts"
import type { RandomService } from "./randomId.ts"

export interface JobParts {
  readonly options: OptionsShape
  readonly disk: DiskService
  readonly manifest: ManifestService
  readonly encryption: FileEncryption
  readonly random: RandomService
}

/** So many times as long as others is a compressed block of the bottom level. */
const longBlocks = 4

/** Given out when a job asks for more. */
const filesMore = 8

const newFiles = ({ encryption, manifest, random }: JobParts, count: number): ReadonlyArray<NewFile> =>
  Array.from({ length: count }, () => ({
    number: manifest.allocateFileNumber(),
    fileId: encryption.newFileId(random)
  }))

export const moreFiles = (parts: JobParts): ReadonlyArray<NewFile> => newFiles(parts, filesMore)

/**
 * Whether most of the data is there, for long: at the deepest level that has tables, or a deeper one. Level 0 is soon
 * written again, also where it is the only one.
 */
const isBottomLevel = (level: number, tables: ReadonlyArray<TableMeta>): boolean =>
  level > 0 && tables.every((table) => table.level <= level)

/** Compressed blocks are longer: more of what is alike comes together, and they are short enough on the disk. */
const longBlockBytes = ({ blockBytes, bottomBlockBytes }: OptionsShape): number =>
  bottomBlockBytes ?? Math.min(blockBytesMax, longBlocks * blockBytes)

/** Any job. */
export type Job = MergeJob | CollectJob

export const jobSetup = (parts: JobParts, job: Job): JobSetup => {
  const { encryption, manifest, options } = parts
  const { databaseId, incarnation, tables } = manifest.state()
  const { bottom, upper, values } = manifest.compression
  const isBottom = !isCollect(job) && isBottomLevel(job.level, tables)
  const tableCodec = isBottom ? bottom : upper
  return {
    databaseId,
    incarnation,
    epoch: manifest.epochNext,
    format: formatVersion,
    tagBytes: encryption.tagBytes,
    keyGeneration: encryption.keyGeneration(),
    blockBytes: options.blockBytes,
    compressedBlockBytes: isBottom ? longBlockBytes(options) : options.blockBytes,
    filterBitsPerKey: options.filterBitsPerKey,
    indexBytesMax: options.indexBytesMax,
    tableCodec,
    valuesCodec: values,
    files: newFiles(parts, filesExpected(job))
  }
}
