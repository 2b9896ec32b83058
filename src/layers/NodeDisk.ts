/**
 * The disk of the machine, by `node:fs`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fs from "node:fs"
import * as path from "node:path"
import { type DirectoryEntry, Disk, type DiskError, type DiskService } from "../services/Disk.ts"
import { call, diskError } from "./NodeCall.ts"
import { lock, probeLock } from "./NodeDirectoryLock.ts"
import { createFile, openFile, openFileNow } from "./NodeFile.ts"

/**
 * Synchronous reads hold the event loop for 2-5 µs when the page is cached, and for as long as the device takes when
 * it is not; asynchronous ones cost about 50 µs each and never hold it. Default true.
 *
 * @since 0.1.0
 * @category models
 */
export interface NodeDiskOptions {
  readonly synchronousReads?: boolean
}

const isWindows = process.platform === "win32"

const makeDirectory = (directory: string): Effect.Effect<void, DiskError> =>
  Effect.asVoid(
    call<string>({ operation: "makeDirectory", file: directory }, (done) =>
      fs.mkdir(directory, { recursive: true, mode: 0o700 }, done)
    )
  )

const kindOf = (stats: fs.Stats): DirectoryEntry["kind"] => {
  if (stats.isFile()) return "file"
  return stats.isDirectory() ? "directory" : "other"
}

const entryOf = (name: string, stats: fs.Stats): DirectoryEntry => {
  const kind = kindOf(stats)
  return { name, kind, bytes: kind === "file" ? stats.size : 0 }
}

/** A name that goes away between `readdir` and `lstat` was not there. */
const describe = (directory: string, name: string): Effect.Effect<DirectoryEntry | undefined, DiskError> =>
  call<fs.Stats>({ operation: "list", file: path.join(directory, name) }, (done) =>
    fs.lstat(path.join(directory, name), done)
  ).pipe(
    Effect.map((stats) => entryOf(name, stats)),
    Effect.catch((error) => (error.code === "ENOENT" ? Effect.succeed(undefined) : Effect.fail(error)))
  )

const describeAll = (directory: string, names: ReadonlyArray<string>) =>
  Effect.forEach(names, (name) => describe(directory, name), { concurrency: 16 })

/** Synchronous `lstat`s take about 2 µs each: a hundred of them hold the event loop for a fifth of a millisecond. */
const namesPerTurn = 100

/** The same without the thread pool, where a call takes 50 µs, and ten times that in a process that just began. */
const describeAllNow = Effect.fnUntraced(function* (directory: string, names: ReadonlyArray<string>) {
  const entries: Array<DirectoryEntry | undefined> = []
  for (const [index, name] of names.entries()) {
    if (index > 0 && index % namesPerTurn === 0) yield* Effect.yieldNow
    const file = path.join(directory, name)
    entries.push(
      yield* Effect.try({
        try: () => fs.lstatSync(file, { throwIfNoEntry: false }),
        catch: (cause) => diskError({ operation: "list", file }, cause)
      }).pipe(Effect.map((stats) => (stats === undefined ? undefined : entryOf(name, stats))))
    )
  }
  return entries
})

type Describe = typeof describeAll

const listBy =
  (describeEach: Describe) =>
  (directory: string): Effect.Effect<ReadonlyArray<DirectoryEntry>, DiskError> =>
    call<Array<string>>({ operation: "list", file: directory }, (done) => fs.readdir(directory, done)).pipe(
      Effect.flatMap((names) => describeEach(directory, names.sort())),
      Effect.map((entries) => entries.filter((entry) => entry !== undefined)),
      Effect.uninterruptible
    )

/** Opens, uses and closes a descriptor; the first failure is the one reported. */
const withDescriptor = <A>(
  site: { readonly operation: string; readonly file: string; readonly flags: number },
  use: (fd: number, done: (error: NodeJS.ErrnoException | null, value?: A) => void) => void
): Effect.Effect<A, DiskError> =>
  Effect.acquireUseRelease(
    call<number>(site, (done) => fs.open(site.file, site.flags, done)),
    (fd) => call<A>(site, (done) => use(fd, done)),
    (fd) => Effect.ignore(call(site, (done) => fs.close(fd, done)))
  ).pipe(Effect.uninterruptible)

const remove = (file: string): Effect.Effect<void, DiskError> =>
  call({ operation: "remove", file }, (done) => fs.unlink(file, done))

/** How file systems say that they have no hard links, or not for these two paths. */
const hasNoLink = new Set(["EXDEV", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"])

const copyNew = (from: string, to: string): Effect.Effect<void, DiskError> => {
  const site = { operation: "linkNew", file: to }
  // `copyFile` removes what it wrote if it fails; a copy that cannot be synced is removed here.
  return Effect.andThen(
    call(site, (done) => fs.copyFile(from, to, fs.constants.COPYFILE_EXCL, done)),
    withDescriptor<void>({ ...site, flags: fs.constants.O_RDWR }, (fd, done) => fs.fsync(fd, done)).pipe(
      Effect.tapError(() => Effect.ignore(remove(to)))
    )
  ).pipe(Effect.uninterruptible)
}

const linkNew = (from: string, to: string): Effect.Effect<void, DiskError> =>
  call({ operation: "linkNew", file: to }, (done) => fs.link(from, to, done)).pipe(
    Effect.catch((error) => (hasNoLink.has(error.code) ? copyNew(from, to) : Effect.fail(error))),
    Effect.uninterruptible
  )

const directoryFlags = fs.constants.O_RDONLY | (fs.constants.O_DIRECTORY ?? 0)

/** Windows refuses to flush a directory; some file systems say `EINVAL` or `EBADF` when they have nothing to flush. */
const syncDirectory = (directory: string): Effect.Effect<void, DiskError> => {
  if (isWindows) return Effect.void
  const site = { operation: "syncDirectory", file: directory, flags: directoryFlags }
  return withDescriptor<void>(site, (fd, done) =>
    fs.fsync(fd, (error) => done(error?.code === "EINVAL" || error?.code === "EBADF" ? null : error))
  )
}

const freeBytes = (directory: string): Effect.Effect<number, DiskError> =>
  Effect.map(
    call<fs.StatsFs>({ operation: "freeBytes", file: directory }, (done) => fs.statfs(directory, done)),
    (stats) => stats.bavail * stats.bsize
  )

/**
 * The disk with the given way of reading.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: NodeDiskOptions = {}): DiskService => {
  const synchronousReads = options.synchronousReads ?? true
  return Disk.of({
    makeDirectory,
    list: listBy(synchronousReads ? describeAllNow : describeAll),
    create: createFile,
    open: (file) => openFile(file, synchronousReads),
    openUnsafe: synchronousReads ? openFileNow : undefined,
    remove,
    linkNew,
    syncDirectory,
    freeBytes,
    lock,
    probeLock,
    join: path.join
  })
}

/**
 * The disk of the machine with the given way of reading.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (options: NodeDiskOptions): Layer.Layer<Disk> => Layer.sync(Disk, () => make(options))

/**
 * The disk of the machine, read synchronously.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Disk> = layerWith({})
