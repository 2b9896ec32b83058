/**
 * A disk in memory, for tests. Everything completes at once, on the calling stack, so `Effect.runSync` works.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import {
  FileTree,
  GrowingBytes,
  listNames,
  normalPath,
  PathError,
  type TreeNode
} from "../internal/structure/fileTree.ts"
import { type AppendFile, DirectoryLocked, Disk, DiskError, type DiskService, type ReadFile } from "../services/Disk.ts"

/**
 * Files by their paths, which begin with `/`. Directories exist by the files in them.
 *
 * @since 0.1.0
 * @category models
 */
export type DiskImage = ReadonlyMap<string, Uint8Array>

/**
 * A disk in memory, and what is on it.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoryDisk {
  readonly disk: DiskService
  readonly layer: Layer.Layer<Disk>
  /** A copy of every file. Empty directories are not in it. */
  readonly image: () => Map<string, Uint8Array>
}

/**
 * Runs one call on files in memory; a `PathError` becomes the `DiskError` of that call.
 *
 * @internal
 */
export const attempt = <A>(operation: string, file: string, body: () => A): Effect.Effect<A, DiskError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (error) {
      if (error instanceof PathError) return Effect.fail(new DiskError({ operation, file, code: error.code }))
      if (error instanceof DiskError) return Effect.fail(error)
      throw error
    }
  })

/**
 * Throws unless the bytes are all there: `ESHORT` past the end, `EINVAL` for what is no position.
 *
 * @internal
 */
export const checkRead = (file: Pick<ReadFile, "path" | "size">, offset: number, length: number): void => {
  const fail = (code: string): never => {
    throw new DiskError({ operation: "read", file: file.path, offset, code })
  }
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) fail("EINVAL")
  if (offset + length > file.size) fail("ESHORT")
}

/**
 * Locks of one disk in memory: a directory's normal path is in the set while it is held.
 *
 * @internal
 */
export const takeLock = (held: Set<string>, directory: string): Effect.Effect<void, DirectoryLocked, Scope.Scope> => {
  const key = normalPath(directory)
  return Effect.acquireRelease(
    Effect.suspend(() => {
      if (held.has(key)) return Effect.fail(lockedBy(directory))
      held.add(key)
      return Effect.void
    }),
    () => Effect.sync(() => held.delete(key))
  )
}

/**
 * Fails if the directory is held.
 *
 * @internal
 */
export const probeHeld = (held: ReadonlySet<string>, directory: string): Effect.Effect<void, DirectoryLocked> =>
  Effect.suspend(() => (held.has(normalPath(directory)) ? Effect.fail(lockedBy(directory)) : Effect.void))

const lockedBy = (directory: string) => new DirectoryLocked({ directory, pid: undefined, startedAtMillis: undefined })

/**
 * The whole of a path in memory: no doubled separators, so that a joined name is a name of `list`.
 *
 * @internal
 */
export const joinMemory = (directory: string, name: string): string =>
  directory.endsWith("/") ? `${directory}${name}` : `${directory}/${name}`

/** One `AppendFile` of the memory disk. */
class MemoryAppendFile implements AppendFile {
  readonly path: string
  readonly #bytes: GrowingBytes
  #closed = false
  readonly sync: Effect.Effect<void, DiskError>
  readonly close: Effect.Effect<void, DiskError>

  constructor(path: string, bytes: GrowingBytes) {
    this.path = path
    this.#bytes = bytes
    this.sync = attempt("sync", path, () => this.#checkOpen())
    this.close = Effect.sync(() => {
      this.#closed = true
    })
  }

  size(): number {
    return this.#bytes.size
  }

  append(chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, DiskError> {
    return attempt("append", this.path, () => {
      this.#checkOpen()
      for (const chunk of chunks) this.#bytes.append(chunk)
    })
  }

  appendUnsafe(bytes: Uint8Array, length: number): void {
    if (this.#closed) throw new DiskError({ operation: "append", file: this.path, code: "EBADF" })
    this.#bytes.append(bytes.subarray(0, length))
  }

  #checkOpen(): void {
    if (this.#closed) throw new PathError("EBADF")
  }
}

/** One `ReadFile` of the memory disk. */
class MemoryReadFile implements ReadFile {
  readonly path: string
  readonly size: number
  readonly #bytes: GrowingBytes
  #closed = false
  readonly close: Effect.Effect<void, DiskError>

  constructor(path: string, bytes: GrowingBytes) {
    this.path = path
    this.size = bytes.size
    this.#bytes = bytes
    this.close = Effect.sync(() => this.closeUnsafe())
  }

  closeUnsafe(): void {
    this.#closed = true
  }

  read(offset: number, length: number): Effect.Effect<Uint8Array, DiskError> {
    return attempt("read", this.path, () => this.readUnsafe(offset, length))
  }

  readUnsafe(offset: number, length: number, into?: Uint8Array): Uint8Array {
    if (this.#closed) throw new DiskError({ operation: "read", file: this.path, offset, code: "EBADF" })
    checkRead(this, offset, length)
    return placed(this.#bytes.view(offset, offset + length), into)
  }
}

/**
 * A copy, in the memory that is given if there is room.
 *
 * @internal
 */
export const placed = (bytes: Uint8Array, into: Uint8Array | undefined): Uint8Array => {
  if (into === undefined || into.length < bytes.length) return bytes.slice()
  into.set(bytes)
  return into.subarray(0, bytes.length)
}

const makeDisk = (tree: FileTree<GrowingBytes>): DiskService => {
  const held = new Set<string>()
  const openNow = (path: string) => new MemoryReadFile(path, tree.file(path))
  const existing = (operation: string, directory: string) =>
    attempt(operation, directory, () => void tree.directory(directory))
  return Disk.of({
    makeDirectory: (directory) => attempt("makeDirectory", directory, () => void tree.makeDirectory(directory)),
    list: (directory) => attempt("list", directory, () => listNames(tree.directory(directory), (bytes) => bytes.size)),
    create: (path) =>
      attempt("create", path, () => {
        const bytes = new GrowingBytes()
        tree.create(path, bytes)
        return new MemoryAppendFile(path, bytes)
      }),
    open: (path) => attempt("open", path, () => openNow(path)),
    openUnsafe: (path) => {
      try {
        return openNow(path)
      } catch (error) {
        throw error instanceof PathError ? new DiskError({ operation: "open", file: path, code: error.code }) : error
      }
    },
    remove: (path) => attempt("remove", path, () => void tree.remove(path)),
    linkNew: (from, to) => attempt("linkNew", to, () => void tree.link(from, to)),
    syncDirectory: (directory) => existing("syncDirectory", directory),
    freeBytes: (directory) => Effect.as(existing("freeBytes", directory), freeBytesOfMemory),
    lock: (directory) => Effect.andThen(existing("lock", directory), takeLock(held, directory)),
    probeLock: (directory) => Effect.andThen(existing("probeLock", directory), probeHeld(held, directory)),
    join: joinMemory
  })
}

/** Memory has no figure of its own; one large enough that nobody waits for space. */
const freeBytesOfMemory = 2 ** 40

const collectFiles = (node: TreeNode<GrowingBytes>, path: string, into: Map<string, Uint8Array>): void => {
  if (node.kind === "file") {
    into.set(path, node.file.view(0, node.file.size).slice())
    return
  }
  for (const [name, child] of node.names) collectFiles(child, `${path}/${name}`, into)
}

/**
 * A disk holding the files of an image. Their arrays are used as they are, so they must not change afterwards; the
 * disk itself never writes to them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromImage = (image: DiskImage): MemoryDisk => {
  const tree = new FileTree<GrowingBytes>()
  for (const [path, bytes] of image) {
    tree.makeDirectory(joinMemory(path, ".."))
    tree.create(path, new GrowingBytes(bytes))
  }
  const disk = makeDisk(tree)
  return {
    disk,
    layer: Layer.succeed(Disk, disk),
    image: () => {
      const files = new Map<string, Uint8Array>()
      collectFiles(tree.root, "", files)
      return files
    }
  }
}

/**
 * An empty disk.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): MemoryDisk => fromImage(new Map())

/**
 * An empty disk for each build of the layer; what is on it goes with the layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Disk> = Layer.sync(Disk, () => make().disk)
