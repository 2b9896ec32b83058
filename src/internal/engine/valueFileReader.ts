// A value file as readers hold it, from the moment it is named: its file is opened, and its parts and the blocks of its
// index are read, when they are first needed, and again when they were given up meanwhile. Values are not cached: a
// cold one costs a read of an index block, at most, and its own.
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import { DiskError, type ReadFile } from "../../services/Disk.ts"
import type { ValueFileMeta } from "../../services/Manifest.ts"
import type { FileHolder, OpenFilesService } from "../../services/OpenFiles.ts"
import {
  type StoredValue,
  type ValueFile,
  type ValueHandle,
  valueNowBytesMax,
  type ValueOwner
} from "../../services/ValueLog.ts"
import { concatBytes } from "../format/bytes.ts"
import { FormatError } from "../format/formatError.ts"
import type { ValueBlock } from "../format/valueFile.ts"
import type { ValueIndexBlock, ValuePlace } from "../format/valueIndex.ts"
import { LoadedValues } from "../structure/loadedValues.ts"
import { batchBytesMax, batchesOf, type ValueBatch } from "../structure/valueBatches.ts"
import { attempt, attemptNow } from "./attempt.ts"
import { CachedPieces } from "./cachedPieces.ts"
import { ofFormat } from "./diskErrors.ts"
import { LoadedParts } from "./loadedParts.ts"
import { fileState } from "./openFiles.ts"
import { ofRead, readAt } from "./opening.ts"
import { ofOpenValues, readValueParts, readValuePartsNow, valueFilePath, type ValueParts } from "./valueFile.ts"

// A block's reader, view, buffer and node, as in tableReader.ts.
const blockBytes = 300
// Of an array.
const slotBytes = 8
/** Read and checked between two yields: less than a millisecond. */
const sliceBytesMax = 1024 * 1024

/** A value and where it is. */
interface Found {
  readonly loaded: LoadedValues
  readonly place: ValuePlace
  readonly value: StoredValue
}

export class ValueFileReader implements ValueFile, FileHolder {
  meta: ValueFileMeta
  readonly path: string
  visited = false
  readonly state = fileState()
  private readonly parts: ValueParts
  private readonly files: OpenFilesService
  private readonly blocks: CachedPieces<ValueIndexBlock>
  private readonly loaded: LoadedParts<LoadedValues>

  constructor(meta: ValueFileMeta, parts: ValueParts, files: OpenFilesService) {
    this.meta = meta
    this.path = valueFilePath(parts, meta.number)
    this.parts = parts
    this.files = files
    this.blocks = new CachedPieces(parts.cache, ({ bytes }) => bytes.buffer.byteLength + blockBytes)
    this.loaded = new LoadedParts({
      files,
      holder: this,
      read: (file) => Effect.map(readValueParts(parts, meta, file), (opened) => new LoadedValues(opened)),
      readNow: (file) => {
        const opened = this.mapping(() => readValuePartsNow(parts, meta, file))
        return opened === undefined ? undefined : new LoadedValues(opened)
      },
      onLoaded: ({ blockCount, bytes }) => {
        this.blocks.begin(blockCount)
        return bytes + blockCount * slotBytes
      }
    })
  }

  readonly ofOpen = (error: DiskError): DatabaseError => ofOpenValues(this.parts, this.meta, error)

  readUnsafe(handle: ValueHandle, owner: ValueOwner): Uint8Array | undefined {
    if (handle.length > valueNowBytesMax) return undefined
    const found = this.findNow({ handle, owner })
    const file = found && this.files.fileUnsafe(this)
    if (file?.readUnsafe === undefined) return undefined
    const { offset, storedBytes } = found!.place
    return this.mapping(() => valueIn(found!, file.readUnsafe!(offset, storedBytes), 0))
  }

  read(handle: ValueHandle, owner: ValueOwner): Effect.Effect<Uint8Array, DatabaseError> {
    return attempt(() => {
      const value = this.readUnsafe(handle, owner)
      if (value !== undefined) return Effect.succeed(value)
      return Effect.flatMap(this.find({ handle, owner }), (found) => this.readFound(found))
    })
  }

  readMany(values: ReadonlyArray<StoredValue>): Effect.Effect<ReadonlyArray<Uint8Array>, DatabaseError> {
    if (values.length === 1) return Effect.map(this.read(values[0]!.handle, values[0]!.owner), (value) => [value])
    return attempt(() => {
      const founds = this.findAllNow(values)
      if (founds !== undefined) return this.readBatches(founds)
      return Effect.flatMap(
        Effect.forEach(values, (value) => this.find(value)),
        (found) => this.readBatches(found)
      )
    })
  }

  stream(handle: ValueHandle, owner: ValueOwner): Stream.Stream<Uint8Array, DatabaseError> {
    return Stream.fromPull(
      Effect.map(this.find({ handle, owner }), ({ loaded, place, value }) => {
        const reading = loaded.reading(place, value)
        let sliceBytes = 0
        const next: Effect.Effect<readonly [Uint8Array], DatabaseError | Cause.Done> = Effect.suspend(() => {
          const asked = reading.next()
          if (asked === undefined) return Cause.done()
          if (sliceBytes >= sliceBytesMax) {
            sliceBytes = 0
            return Effect.andThen(Effect.yieldNow, next)
          }
          sliceBytes += asked.bytes
          return Effect.flatMap(this.readNew(asked), (bytes) =>
            attemptNow(() => {
              const chunk = this.mapping(() => reading.feed(bytes, 0))
              return chunk.length === 0 ? next : Effect.succeed([chunk] as const)
            })
          )
        })
        return next
      })
    )
  }

  forget(): void {
    this.loaded.forget()
    this.blocks.forget()
  }

  /** Gives back what the cache holds of it, and the file. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => this.files.close(this))

  private findNow(value: StoredValue): Found | undefined {
    this.visited = true
    const loaded = this.loaded.current ?? this.loaded.loadNow()
    if (loaded === undefined) return undefined
    const block = this.mapping(() => loaded.blockOf(value.handle))
    const index = this.blocks.get(loaded.ordinalOf(block)) ?? this.indexNow(loaded, block)
    return index === undefined ? undefined : this.foundIn({ loaded, block, index }, value)
  }

  private findAllNow(values: ReadonlyArray<StoredValue>): ReadonlyArray<Found> | undefined {
    const founds: Array<Found> = []
    for (const value of values) {
      const found = this.findNow(value)
      if (found === undefined) return undefined
      founds.push(found)
    }
    return founds
  }

  private find(value: StoredValue): Effect.Effect<Found, DatabaseError> {
    return attempt(() => {
      const found = this.findNow(value)
      if (found !== undefined) return Effect.succeed(found)
      return Effect.flatMap(this.loaded.load, (loaded) =>
        attemptNow(() => {
          const block = this.mapping(() => loaded.blockOf(value.handle))
          return Effect.flatMap(this.index(loaded, block), (index) =>
            attemptNow(() => Effect.succeed(this.foundIn({ loaded, block, index }, value)))
          )
        })
      )
    })
  }

  private foundIn(
    at: { readonly loaded: LoadedValues; readonly block: ValueBlock; readonly index: ValueIndexBlock },
    value: StoredValue
  ): Found {
    const { block, index, loaded } = at
    return { loaded, place: this.mapping(() => loaded.placeIn(index, value, block)), value }
  }

  private indexNow(loaded: LoadedValues, block: ValueBlock): ValueIndexBlock | undefined {
    const file = this.files.fileUnsafe(this)
    if (file?.readUnsafe === undefined) return undefined
    this.parts.cache.countUnsafe("miss")
    const index = this.mapping(() => loaded.openBlock(block, file.readUnsafe!(block.offset, block.bytes)))
    this.blocks.keep(loaded.ordinalOf(block), index)
    return index
  }

  private index(loaded: LoadedValues, block: ValueBlock): Effect.Effect<ValueIndexBlock, DatabaseError> {
    const read = Effect.flatMap(this.readNew(block), (bytes) =>
      attemptNow(() => Effect.succeed(this.mapping(() => loaded.openBlock(block, bytes))))
    )
    return this.blocks.load(loaded.ordinalOf(block), true, read)
  }

  private readBatches(founds: ReadonlyArray<Found>): Effect.Effect<ReadonlyArray<Uint8Array>, DatabaseError> {
    const values: Array<Uint8Array> = Array.from({ length: founds.length })
    let sliceBytes = 0
    const readOne = (batch: ValueBatch): Effect.Effect<void, DatabaseError> => {
      const pause = sliceBytes >= sliceBytesMax
      sliceBytes = (pause ? 0 : sliceBytes) + batch.bytes
      const read = this.readBatch(founds, batch, values)
      return pause ? Effect.andThen(Effect.yieldNow, read) : read
    }
    const batches = batchesOf(founds.map(({ place }) => place))
    return Effect.as(Effect.forEach(batches, readOne, { discard: true }), values)
  }

  private readBatch(
    founds: ReadonlyArray<Found>,
    batch: ValueBatch,
    into: Array<Uint8Array>
  ): Effect.Effect<void, DatabaseError> {
    if (batch.bytes > batchBytesMax) {
      return Effect.map(this.readFound(founds[batch.members[0]!]!), (value) => {
        into[batch.members[0]!] = value
      })
    }
    return Effect.flatMap(this.readNew(batch), (bytes) =>
      attemptNow(() => {
        let before = -1
        for (const member of batch.members) {
          const found = founds[member]!
          const { offset } = found.place
          const value = this.mapping(() => valueIn(found, bytes, offset - batch.offset))
          // One that was asked for twice is two values, each its caller's.
          into[member] = offset === before ? value.slice() : value
          before = offset
        }
        return Effect.void
      })
    )
  }

  /** One of whatever length, in memory once: its pieces are read one after the other. */
  private readonly readFound = Effect.fnUntraced(
    { self: this as ValueFileReader },
    function* (this: ValueFileReader, found: Found): Effect.fn.Return<Uint8Array, DatabaseError> {
      const { loaded, place, value } = found
      if (place.storedBytes <= batchBytesMax) {
        const bytes = yield* this.readNew({ offset: place.offset, bytes: place.storedBytes })
        return yield* attemptNow(() => Effect.succeed(this.mapping(() => valueIn(found, bytes, 0))))
      }
      const reading = loaded.reading(place, value)
      const whole = new Uint8Array(value.handle.length)
      let filled = 0
      let sliceBytes = 0
      for (let asked = reading.next(); asked !== undefined; asked = reading.next()) {
        sliceBytes += asked.bytes
        if (sliceBytes > sliceBytesMax) {
          sliceBytes = 0
          yield* Effect.yieldNow
        }
        const bytes = yield* this.readNew(asked)
        const chunk = yield* attemptNow(() => Effect.succeed(this.mapping(() => reading.feed(bytes, 0))))
        whole.set(chunk, filled)
        filled += chunk.length
      }
      return whole
    }
  )

  /** Opens the file on this stack, if that can be: then the read of a synchronous disk ends on it, too. */
  private readNew(section: {
    readonly offset: number
    readonly bytes: number
  }): Effect.Effect<Uint8Array, DatabaseError> {
    return attempt(() => {
      this.files.fileUnsafe(this)
      return this.files.use(this, (file: ReadFile) => readAt(file, section))
    })
  }

  private mapping<A>(body: () => A): A {
    try {
      return body()
    } catch (error) {
      if (error instanceof FormatError) throw ofFormat(error, this.path)
      throw error instanceof DiskError ? ofRead(error) : error
    }
  }
}

/** The value that begins in `bytes` at `start`, as its own bytes. Throws `FormatError`. */
const valueIn = ({ loaded, place, value }: Found, bytes: Uint8Array, start: number): Uint8Array => {
  const reading = loaded.reading(place, value)
  const chunks: Array<Uint8Array> = []
  for (let asked = reading.next(); asked !== undefined; asked = reading.next()) {
    chunks.push(reading.feed(bytes, start + asked.offset - place.offset))
  }
  return chunks.length === 1 ? chunks[0]! : concatBytes(chunks)
}
