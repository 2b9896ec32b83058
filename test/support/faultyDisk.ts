// Any disk, with calls that fail when told so, and with ways to damage what is on it.
import { Effect } from "effect"
import { type AppendFile, DiskError, type DiskService } from "../../src/services/Disk.ts"

export interface Fault {
  readonly operation: "append" | "sync" | "close" | "create" | "syncDirectory" | "remove"
  readonly path: RegExp
  readonly code: string
  /** Of an append: so many bytes are written first. */
  readonly bytesAccepted?: number
}

export interface FaultyDisk {
  readonly disk: DiskService
  /** Strikes once, at the next call that fits. */
  readonly failNext: (fault: Fault) => void
  /** The calls so far that could change something, as `operation name`. */
  readonly calls: Array<string>
}

const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1)

const prefixOf = (chunks: ReadonlyArray<Uint8Array>, bytes: number) => {
  const prefix: Array<Uint8Array> = []
  let left = bytes
  for (const chunk of chunks) {
    prefix.push(chunk.subarray(0, left))
    left -= Math.min(left, chunk.length)
  }
  return { prefix, accepted: bytes - left }
}

export const faultyDisk = (disk: DiskService): FaultyDisk => {
  const faults: Array<Fault> = []
  const calls: Array<string> = []
  const strike = (operation: Fault["operation"], path: string): Fault | undefined => {
    calls.push(`${operation} ${nameOf(path)}`)
    const index = faults.findIndex((fault) => fault.operation === operation && fault.path.test(path))
    return index === -1 ? undefined : faults.splice(index, 1)[0]
  }
  const guard = <A>(
    operation: Fault["operation"],
    path: string,
    run: (fault: Fault | undefined) => Effect.Effect<A, DiskError>
  ): Effect.Effect<A, DiskError> => Effect.suspend(() => run(strike(operation, path)))
  const failing = <A>(operation: Fault["operation"], path: string, effect: Effect.Effect<A, DiskError>) =>
    guard(operation, path, (fault) =>
      fault === undefined ? effect : Effect.fail(new DiskError({ operation, file: path, code: fault.code }))
    )
  const append = (file: AppendFile, chunks: ReadonlyArray<Uint8Array>, fault: Fault | undefined) => {
    if (fault === undefined) return file.append(chunks)
    const { accepted, prefix } = prefixOf(chunks, fault.bytesAccepted ?? 0)
    const about = { operation: "append", file: file.path, code: fault.code }
    return Effect.andThen(file.append(prefix), Effect.fail(new DiskError({ ...about, bytesAccepted: accepted })))
  }
  const appendNow = (file: AppendFile, bytes: Uint8Array, length: number): void => {
    const fault = strike("append", file.path)
    const accepted = fault === undefined ? length : Math.min(fault.bytesAccepted ?? 0, length)
    file.appendUnsafe!(bytes, accepted)
    if (fault === undefined) return
    throw new DiskError({ operation: "append", file: file.path, code: fault.code, bytesAccepted: accepted })
  }
  const wrap = (file: AppendFile): AppendFile => ({
    path: file.path,
    size: () => file.size(),
    append: (chunks) => guard("append", file.path, (fault) => append(file, chunks, fault)),
    ...(file.appendUnsafe && { appendUnsafe: (bytes, length) => appendNow(file, bytes, length) }),
    sync: failing("sync", file.path, file.sync),
    close: failing("close", file.path, file.close)
  })
  return {
    disk: {
      ...disk,
      create: (path) => failing("create", path, Effect.map(disk.create(path), wrap)),
      remove: (path) => failing("remove", path, disk.remove(path)),
      syncDirectory: (path) => failing("syncDirectory", path, disk.syncDirectory(path))
    },
    failNext: (fault) => void faults.push(fault),
    calls
  }
}

/** A file's bytes. */
export const contentOf = Effect.fnUntraced(function* (disk: DiskService, path: string) {
  const file = yield* disk.open(path)
  const bytes = yield* file.read(0, file.size)
  yield* file.close
  return bytes
})

/** Puts other bytes in a file's place. */
export const replaceFile = Effect.fnUntraced(function* (disk: DiskService, path: string, bytes: Uint8Array) {
  yield* Effect.ignore(disk.remove(path))
  const file = yield* disk.create(path)
  yield* file.append([bytes])
  yield* file.sync
  yield* file.close
})

/** The names that match, sorted, with their sizes. Locks are not told: they come and go. */
export const namesOn = Effect.fnUntraced(function* (disk: DiskService, directory: string, pattern = /./) {
  const entries = yield* disk.list(directory)
  return entries.filter(({ name }) => pattern.test(name) && !name.startsWith("lock-"))
})
