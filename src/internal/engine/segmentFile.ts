// One log segment being written: the file and the maker of its frames.
//
// A segment is made in two steps. Ahead of time its header is written, synced, and its name made durable; only then
// does it get a frame, LINK first. So a file that is longer than a header has a whole header, whatever the power cut
// left, and a header that is not whole there is damage. A file of at most a header's length holds nothing.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { AppendFile } from "../../services/Disk.ts"
import type { ManifestService } from "../../services/Manifest.ts"
import { crcOfHeader, FileKind } from "../format/fileHeader.ts"
import { logFileName } from "../format/fileName.ts"
import { FrameWriter, type LogPosition } from "../format/logFrame.ts"
import { acceptedBytes, fromDisk, ofDisk, poisonedBy } from "./diskErrors.ts"
import { type FileParts, newFile } from "./ownFiles.ts"

export interface LogParts extends FileParts {
  readonly manifest: ManifestService
}

export class SegmentFile {
  readonly number: number
  readonly file: AppendFile
  readonly frames: FrameWriter
  /** A frame of which no byte was accepted may be made again. Not under a cipher: its counters do not go back. */
  readonly isRewindable: boolean

  constructor(
    number: number,
    options: { readonly file: AppendFile; readonly frames: FrameWriter; readonly isRewindable: boolean }
  ) {
    this.number = number
    this.file = options.file
    this.frames = options.frames
    this.isRewindable = options.isRewindable
  }

  /** Of the data key that it is sealed with. */
  get keyGeneration(): number {
    return this.frames.keyGeneration
  }

  /** The next frame follows this one. */
  goOnFrom(position: LogPosition): void {
    this.frames.lsn = position.lsn
    this.frames.chain = position.chain
  }

  /** The next frame is the LINK, behind this LSN. */
  beginAt(lsn: number): void {
    this.goOnFrom({ lsn, chain: crcOfHeader(this.frames.fileHeader) })
  }
}

/**
 * A segment with its header and nothing else, durable. A failed sync is `Poisoned`; any other failure leaves at most a
 * file that holds nothing.
 */
export const createSegment = Effect.fnUntraced(function* (parts: LogParts) {
  const { directory, disk, encryption, manifest } = parts
  const { databaseId, incarnation } = manifest.state()
  const number = manifest.allocateFileNumber()
  const { epochIdNext: epochId, epochNext: epoch } = manifest
  const ids = { databaseId, incarnation, epoch, epochId, fileNumber: number }
  const { header, sealer } = yield* newFile(encryption, { ...ids, kind: FileKind.log })
  const frames = new FrameWriter({ header, sealer, lsn: 0 })
  const path = disk.join(directory, logFileName(number))
  const file = yield* fromDisk(disk.create(path))
  const written = appendWhole(file, [frames.fileHeader]).pipe(
    Effect.tapError((error) => (isPoisoned(error) ? Effect.void : Effect.ignore(disk.remove(path)))),
    Effect.andThen(Effect.mapError(Effect.andThen(file.sync, disk.syncDirectory(directory)), poisonedBy))
  )
  yield* Effect.tapError(written, () => Effect.ignore(file.close))
  return new SegmentFile(number, { file, frames, isRewindable: sealer.tagBytes === 4 })
}, Effect.uninterruptible)

/** Fails `Poisoned` if all the bytes were accepted and then something failed: nobody knows whether they are there. */
export const appendWhole = (
  file: AppendFile,
  chunks: ReadonlyArray<Uint8Array>
): Effect.Effect<void, DatabaseError> => {
  const before = file.size()
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  return Effect.mapError(file.append(chunks), (error) =>
    acceptedBytes(error, file.size() - before) < total ? ofDisk(error) : poisonedBy(error)
  )
}

export const isPoisoned = (error: DatabaseError): boolean => error.reason._tag === "Poisoned"
