/**
 * File handles on `node:fs`: the `AppendFile` and `ReadFile` of `NodeDisk`.
 *
 * A write into the page cache takes 3.5 µs at 200 B and 77 µs at 256 KiB, where the thread pool adds 20 to 70 µs of its
 * own, so such groups are written on the calling stack; larger ones, and every sync, go to the thread pool.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { type AppendFile, DiskError, type ReadFile } from "../services/Disk.ts"
import { call, diskError } from "./NodeCall.ts"
import { closedError, Descriptor } from "./NodeDescriptor.ts"

const synchronousBytesMax = 256 * 1024

/** Below this, copying the chunks together is cheaper than a vectored write of them. */
const stagingBytes = 64 * 1024

// One for all files: it is filled and written within one synchronous step.
let staging: Uint8Array | undefined

/** What is left of the chunks when the first bytes of them are written. */
const after = (chunks: ReadonlyArray<Uint8Array>, bytes: number): ReadonlyArray<Uint8Array> => {
  let index = 0
  let skip = bytes
  while (index < chunks.length && skip >= chunks[index]!.length) {
    skip -= chunks[index]!.length
    index += 1
  }
  if (index === chunks.length) return []
  return [chunks[index]!.subarray(skip), ...chunks.slice(index + 1)]
}

const joined = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  staging ??= new Uint8Array(stagingBytes)
  let length = 0
  for (const chunk of chunks) {
    staging.set(chunk, length)
    length += chunk.length
  }
  return staging.subarray(0, length)
}

/** One `AppendFile`. Writes carry their position, so a failed one cannot shift the next. */
class NodeAppendFile implements AppendFile {
  readonly path: string
  readonly #descriptor: Descriptor
  #size = 0
  #failedSync: DiskError | undefined
  readonly sync: Effect.Effect<void, DiskError>
  readonly close: Effect.Effect<void, DiskError>

  constructor(descriptor: Descriptor) {
    this.path = descriptor.path
    this.#descriptor = descriptor
    this.close = descriptor.close
    const sync = descriptor.using(
      "sync",
      call({ operation: "sync", file: descriptor.path }, (done) => fs.fdatasync(descriptor.fd, done))
    )
    this.sync = Effect.suspend(() => {
      // The kernel reports a lost page once; asking again would answer "all is well" (RELIABILITY.md §3.4).
      if (this.#failedSync !== undefined) return Effect.fail(this.#failedSync)
      return Effect.tapError(sync, (error) =>
        Effect.sync(() => {
          this.#failedSync = error
        })
      )
    })
  }

  size(): number {
    return this.#size
  }

  append(chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      if (this.#descriptor.closed) return Effect.fail(closedError("append", this.path))
      if (this.#failedSync !== undefined) return Effect.fail(this.#failedSync)
      let bytes = 0
      for (const chunk of chunks) bytes += chunk.length
      if (bytes === 0) return Effect.void
      if (bytes <= synchronousBytesMax) return this.#appendNow(chunks, bytes)
      return this.#descriptor.using("append", this.#appendLater(chunks, bytes))
    })
  }

  appendUnsafe(bytes: Uint8Array, length: number): void {
    if (this.#descriptor.closed) throw closedError("append", this.path)
    if (this.#failedSync !== undefined) throw this.#failedSync
    let written = 0
    try {
      while (written < length) {
        const count = fs.writeSync(this.#descriptor.fd, bytes, written, length - written, this.#size)
        if (count === 0) throw this.#refused(undefined, written)
        this.#size += count
        written += count
      }
    } catch (error) {
      throw error instanceof DiskError ? error : this.#refused(error, written)
    }
  }

  #appendNow(chunks: ReadonlyArray<Uint8Array>, bytes: number): Effect.Effect<void, DiskError> {
    let rest = bytes <= stagingBytes && chunks.length > 1 ? [joined(chunks)] : chunks
    let written = 0
    try {
      while (true) {
        const count =
          rest.length === 1
            ? fs.writeSync(this.#descriptor.fd, rest[0]!, 0, rest[0]!.length, this.#size)
            : fs.writevSync(this.#descriptor.fd, rest, this.#size)
        this.#size += count
        written += count
        if (written === bytes) return Effect.void
        if (count === 0) return Effect.fail(this.#refused(undefined, written))
        rest = after(rest, count)
      }
    } catch (error) {
      return Effect.fail(this.#refused(error, written))
    }
  }

  #appendLater(chunks: ReadonlyArray<Uint8Array>, bytes: number): Effect.Effect<void, DiskError> {
    let rest = chunks
    let written = 0
    const step: Effect.Effect<void, DiskError> = Effect.suspend(() =>
      Effect.matchEffect(this.#writeOnce(rest), {
        onFailure: (error) => Effect.fail(this.#refused(error.cause, written)),
        onSuccess: (count) => {
          this.#size += count
          written += count
          if (written === bytes) return Effect.void
          if (count === 0) return Effect.fail(this.#refused(undefined, written))
          rest = after(rest, count)
          return step
        }
      })
    )
    return step
  }

  #writeOnce(rest: ReadonlyArray<Uint8Array>): Effect.Effect<number, DiskError> {
    const { fd } = this.#descriptor
    return call<number>({ operation: "append", file: this.path }, (done) =>
      rest.length === 1
        ? fs.write(fd, rest[0]!, 0, rest[0]!.length, this.#size, done)
        : fs.writev(fd, rest, this.#size, done)
    )
  }

  /** A write that takes nothing and reports nothing counts as `EIO`: looping on it might never end. */
  #refused(cause: unknown, bytesAccepted: number): DiskError {
    const site = { operation: "append", file: this.path, offset: this.#size }
    const code = cause === undefined ? "EIO" : diskError(site, cause).code
    return new DiskError({ ...site, code, bytesAccepted, cause })
  }
}

/** Not zeroed, and its own buffer: it is filled to the last byte or dropped. */
const freshBytes = (length: number): Uint8Array => new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)

/** One `ReadFile`. */
class NodeReadFile implements ReadFile {
  readonly path: string
  readonly size: number
  readonly #descriptor: Descriptor
  readonly close: Effect.Effect<void, DiskError>
  readonly read: (offset: number, length: number) => Effect.Effect<Uint8Array, DiskError>
  readonly readUnsafe: ReadFile["readUnsafe"]
  readonly closeUnsafe: (() => void) | undefined

  constructor(descriptor: Descriptor, size: number, synchronousReads: boolean) {
    this.path = descriptor.path
    this.size = size
    this.#descriptor = descriptor
    this.close = descriptor.close
    const readNow = (offset: number, length: number, into?: Uint8Array) => this.#readNow(offset, length, into)
    this.readUnsafe = synchronousReads ? readNow : undefined
    this.closeUnsafe = synchronousReads ? () => descriptor.closeNow() : undefined
    this.read = synchronousReads
      ? (offset, length) =>
          Effect.try({ try: () => readNow(offset, length), catch: (error) => this.#failed(offset, error) })
      : (offset, length) => this.#descriptor.using("read", this.#readLater(offset, length))
  }

  /** The bound comes first: a damaged length must not make us allocate what the file cannot hold. */
  #check(offset: number, length: number): void {
    const isPosition = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0
    if (!isPosition) throw new DiskError({ operation: "read", file: this.path, offset, code: "EINVAL" })
    if (offset + length > this.size) throw this.#short(offset)
  }

  #readNow(offset: number, length: number, into: Uint8Array | undefined): Uint8Array {
    if (this.#descriptor.closed) throw closedError("read", this.path)
    this.#check(offset, length)
    try {
      const bytes = into === undefined || into.length < length ? freshBytes(length) : into.subarray(0, length)
      let done = 0
      while (done < length) {
        const count = fs.readSync(this.#descriptor.fd, bytes, done, length - done, offset + done)
        if (count === 0) throw this.#short(offset)
        done += count
      }
      return bytes
    } catch (error) {
      throw this.#failed(offset, error)
    }
  }

  #readLater(offset: number, length: number): Effect.Effect<Uint8Array, DiskError> {
    return Effect.suspend(() => {
      try {
        this.#check(offset, length)
        const bytes = freshBytes(length)
        return length === 0 ? Effect.succeed(bytes) : this.#readRest(bytes, offset, 0)
      } catch (error) {
        return Effect.fail(this.#failed(offset, error))
      }
    })
  }

  #readRest(bytes: Uint8Array, offset: number, done: number): Effect.Effect<Uint8Array, DiskError> {
    const site = { operation: "read", file: this.path, offset }
    const { fd } = this.#descriptor
    const read = call<number>(site, (complete) =>
      fs.read(fd, bytes, done, bytes.length - done, offset + done, complete)
    )
    return Effect.flatMap(read, (count) => {
      if (count === 0) return Effect.fail(this.#short(offset))
      return done + count === bytes.length ? Effect.succeed(bytes) : this.#readRest(bytes, offset, done + count)
    })
  }

  #short(offset: number): DiskError {
    return new DiskError({ operation: "read", file: this.path, offset, code: "ESHORT" })
  }

  #failed(offset: number, error: unknown): DiskError {
    if (error instanceof DiskError) return error
    return diskError({ operation: "read", file: this.path, offset }, error)
  }
}

const { O_CREAT, O_EXCL, O_RDONLY, O_WRONLY } = fs.constants
// Neither exists on Windows. Without O_NONBLOCK, opening a pipe somebody left in the directory would wait for a writer.
const noFollow = (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0)

/**
 * Creates a file that did not exist, readable by its owner only.
 *
 * @internal
 */
export const createFile = (path: string): Effect.Effect<AppendFile, DiskError> =>
  Effect.map(
    call<number>({ operation: "create", file: path }, (done) =>
      fs.open(path, O_CREAT | O_EXCL | O_WRONLY | noFollow, 0o600, done)
    ),
    (fd) => new NodeAppendFile(new Descriptor(path, fd))
  )

/**
 * Opens a regular file for reading; anything else is refused before a byte of it is read.
 *
 * @internal
 */
export const openFile = (path: string, synchronousReads: boolean): Effect.Effect<ReadFile, DiskError> => {
  const site = { operation: "open", file: path }
  return Effect.gen(function* () {
    const fd = yield* call<number>(site, (done) => fs.open(path, O_RDONLY | noFollow, done))
    const descriptor = new Descriptor(path, fd)
    const stats = yield* call<fs.Stats>(site, (done) => fs.fstat(fd, done)).pipe(
      Effect.tapError(() => Effect.ignore(descriptor.close))
    )
    if (stats.isFile()) return new NodeReadFile(descriptor, stats.size, synchronousReads)
    yield* Effect.ignore(descriptor.close)
    return yield* new DiskError({ ...site, code: stats.isDirectory() ? "EISDIR" : "EINVAL" })
  }).pipe(Effect.uninterruptible)
}

/**
 * The same on the calling stack, for a disk with synchronous reads. Throws `DiskError`.
 *
 * @internal
 */
export const openFileNow = (path: string): ReadFile => {
  const site = { operation: "open", file: path }
  try {
    const descriptor = new Descriptor(path, fs.openSync(path, O_RDONLY | noFollow))
    try {
      const stats = fs.fstatSync(descriptor.fd)
      if (!stats.isFile()) throw new DiskError({ ...site, code: stats.isDirectory() ? "EISDIR" : "EINVAL" })
      return new NodeReadFile(descriptor, stats.size, true)
    } catch (error) {
      fs.closeSync(descriptor.fd)
      throw error
    }
  } catch (error) {
    throw error instanceof DiskError ? error : diskError(site, error)
  }
}
