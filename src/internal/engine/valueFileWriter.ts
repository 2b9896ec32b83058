// A value file being written by a commit, before the commit is. Nothing names it until then.
//
//   create → append … → finish: sync, close → (the owner syncs the directory) → the commit's frame
//
// Values are handed on in pieces, so what is in memory of one is a few pieces, however long it is. A file that was not
// finished is removed again, also after a failed sync: what it was for has failed too, and definitely.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { AppendFile } from "../../services/Disk.ts"
import type { ManifestService, ValueFileMeta } from "../../services/Manifest.ts"
import type { ValueOwner, ValueWriter } from "../../services/ValueLog.ts"
import { type FileHeader, FileKind, fileTagOf } from "../format/fileHeader.ts"
import { valueFileName } from "../format/fileName.ts"
import { assert } from "../format/formatError.ts"
import { ValueFileBuilder } from "../format/valueFileBuilder.ts"
import { codecToWrite } from "../format/zstd.ts"
import { fromDisk } from "./diskErrors.ts"
import { type FileParts, newFile } from "./ownFiles.ts"

/** What is sealed is appended when it is so long, or at the end. Small values come together in one append. */
const appendBytesMin = 512 * 1024

export interface ValueFileParts extends Omit<FileParts, "readOnly"> {
  readonly manifest: ManifestService
  /** Memory for pieces, shared by all writers. */
  readonly spare?: Array<Uint8Array>
}

export class ValueFileWriter implements ValueWriter {
  readonly id: number
  readonly fileTag: number
  private readonly parts: ValueFileParts
  private readonly file: AppendFile
  private readonly builder: ValueFileBuilder
  private count = 0
  private finished = false

  constructor(
    parts: ValueFileParts,
    options: { readonly header: FileHeader; readonly file: AppendFile; readonly builder: ValueFileBuilder }
  ) {
    this.parts = parts
    this.id = options.header.fileNumber
    this.fileTag = fileTagOf(options.header.fileId)
    this.file = options.file
    this.builder = options.builder
    this.builder.beginSection(this.id)
  }

  get bytes(): number {
    return this.builder.bytes
  }

  begin(owner: ValueOwner): number {
    const index = this.count
    this.count += 1
    this.builder.beginValue(index, owner)
    return index
  }

  push(bytes: Uint8Array): Effect.Effect<void, DatabaseError> {
    this.builder.push(bytes)
    return this.builder.bytes - this.file.size() < appendBytesMin ? Effect.void : this.append(this.builder.take())
  }

  end(): number {
    return this.builder.endValue()
  }

  readonly finish: Effect.Effect<ValueFileMeta, DatabaseError> = Effect.uninterruptible(
    Effect.suspend(() => {
      assert(!this.finished, "a value file is finished once")
      const { chunks, meta } = this.builder.finish()
      const written = Effect.andThen(
        this.append(chunks),
        Effect.suspend(() => fromDisk(this.file.sync))
      )
      return Effect.map(
        Effect.andThen(
          written,
          Effect.suspend(() => fromDisk(this.file.close))
        ),
        () => {
          assert(this.file.size() === meta.bytes, "a value file is as long as its footer says")
          this.finished = true
          return meta
        }
      )
    })
  )

  readonly discard: Effect.Effect<void> = Effect.suspend(() => {
    if (this.finished) return Effect.void
    const { disk } = this.parts
    return Effect.andThen(Effect.ignore(this.file.close), Effect.ignore(disk.remove(this.file.path)))
  })

  private append(chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, DatabaseError> {
    return Effect.map(fromDisk(this.file.append(chunks)), () => this.builder.reuse(chunks))
  }
}

/** An empty file of a new number. To be finished or discarded by who has it: not interruptible. */
export const createValueFile = Effect.fnUntraced(function* (parts: ValueFileParts) {
  const { directory, disk, encryption, manifest } = parts
  const { databaseId, incarnation } = manifest.state()
  const id = manifest.allocateFileNumber()
  const ids = { databaseId, incarnation, epoch: manifest.epochNext, fileNumber: id }
  const { header, sealer } = yield* newFile(encryption, { ...ids, kind: FileKind.valueFile })
  const file = yield* fromDisk(disk.create(disk.join(directory, valueFileName(id))))
  const codec = codecToWrite(sealer, manifest.compression.values)
  const builder = new ValueFileBuilder({ header, sealer, codec, spare: parts.spare })
  return new ValueFileWriter(parts, { header, file, builder })
}, Effect.uninterruptible)
