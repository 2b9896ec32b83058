// Writes one table: create, append, sync, close, read back what a reader will look at first, and make the name durable.
//
// After a failure the file is given up and removed, also after a failed sync: nothing names it yet, and what it was
// made from is still there. The caller tries again, into a file of another number (RELIABILITY.md §3.4).
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { AppendFile } from "../../services/Disk.ts"
import { FileKind } from "../../services/Encryption.ts"
import type { TableMeta } from "../../services/Manifest.ts"
import type { TableSource } from "../../services/SsTable.ts"
import { makeEntryView } from "../format/blockEntry.ts"
import { type FileHeader, formatVersion } from "../format/fileHeader.ts"
import { TableBuilder } from "../format/tableBuilder.ts"
import { fromDisk } from "./diskErrors.ts"
import { randomBytes } from "./randomId.ts"
import { openTableFile, tablePath, type TableParts } from "./tableFile.ts"

/** Of one append: enough that its fixed cost does not show, and few enough to be written on the calling stack. */
const appendBytes = 64 * 1024
/** Of one slice, about a millisecond: an entry takes half a microsecond and a byte of it two nanoseconds. */
const sliceEntriesMax = 512
const sliceBytesMax = 64 * 1024

/** The table in memory, filled a slice at a time. */
class Filling {
  private readonly builder: TableBuilder
  private readonly source: TableSource
  private readonly view = makeEntryView()
  private taken = 0
  private ended = false

  constructor(builder: TableBuilder, source: TableSource) {
    this.builder = builder
    this.source = source
    for (const removal of source.rangeRemovals ?? []) builder.addRangeRemoval(removal)
  }

  /** Adds the entries of one slice. False when the source has ended, which is then not asked again. */
  slice(): boolean {
    const { builder, source, view } = this
    const bytesMax = builder.bytes + sliceBytesMax
    for (let count = 0; count < sliceEntriesMax && builder.bytes < bytesMax; count++) {
      if (this.ended || !source.next(view)) {
        this.ended = true
        return false
      }
      builder.add(view)
    }
    return true
  }

  get isEmpty(): boolean {
    return this.builder.count === 0
  }

  /** The chunks to append, if there are enough of them. */
  take(): ReadonlyArray<Uint8Array> | undefined {
    if (this.builder.bytes - this.taken < appendBytes) return undefined
    this.taken = this.builder.bytes
    return this.builder.take()
  }

  finish(level: number): { readonly chunks: ReadonlyArray<Uint8Array>; readonly meta: TableMeta } {
    const { chunks, facts } = this.builder.finish()
    return { chunks, meta: { ...facts, level } }
  }
}

const fill = Effect.fnUntraced(function* (filling: Filling, file: AppendFile, level: number) {
  // The first slice is filled already.
  do {
    const chunks = filling.take()
    if (chunks !== undefined) yield* file.append(chunks)
    yield* Effect.yieldNow
  } while (filling.slice())
  yield* Effect.yieldNow
  const { chunks, meta } = filling.finish(level)
  yield* file.append(chunks)
  yield* file.sync
  yield* file.close
  return meta
})

const readBack = (parts: TableParts, meta: TableMeta): Effect.Effect<void, DatabaseError> =>
  Effect.flatMap(openTableFile(parts, meta), ({ file }) => fromDisk(file.close))

const fileHeader = Effect.fnUntraced(function* ({ encryption, manifest }: TableParts) {
  const { databaseId, incarnation } = manifest.state()
  return {
    format: formatVersion,
    kind: FileKind.table,
    tagBytes: encryption.tagBytes,
    keyGeneration: encryption.keyGeneration,
    databaseId,
    incarnation,
    epoch: manifest.epochNext,
    fileNumber: manifest.allocateFileNumber(),
    fileId: yield* randomBytes(32)
  } satisfies FileHeader
})

/** Writes the source's entries as one table of the level; nothing if there are none. */
export const writeTable = Effect.fnUntraced(function* (parts: TableParts, source: TableSource, level: number) {
  const { disk, encryption, manifest, options } = parts
  const { blockBytes, filterBitsPerKey } = options
  const header = yield* fileHeader(parts)
  const sealer = yield* encryption.sealer(header)
  const filling = new Filling(new TableBuilder({ header, blockBytes, filterBitsPerKey, sealer }), source)
  return yield* Effect.uninterruptibleMask(
    Effect.fnUntraced(function* (restore): Effect.fn.Return<TableMeta | undefined, DatabaseError> {
      if (!filling.slice() && filling.isEmpty) return undefined
      const path = tablePath(parts, header.fileNumber)
      const file = yield* fromDisk(disk.create(path))
      return yield* restore(
        Effect.gen(function* () {
          const meta = yield* fromDisk(fill(filling, file, level))
          yield* readBack(parts, meta)
          yield* fromDisk(disk.syncDirectory(manifest.directory))
          return meta
        })
      ).pipe(Effect.onError(() => Effect.andThen(Effect.ignore(file.close), Effect.ignore(disk.remove(path)))))
    })
  )
})
