// The disk of the machine, which ends the process before or after one of its calls, as if somebody had killed it then.
import { Effect } from "effect"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import { kindOf } from "./fileKind.ts"
import type { AppendFile, DiskError, DiskService, ReadFile } from "../../src/services/Disk.ts"

export interface Kill {
  /** Of all calls, or of those that change something. */
  readonly among: "all" | "changing"
  /** Counted from 0. */
  readonly call: number
  readonly when: "before" | "after"
}

export interface KillingDisk {
  readonly disk: DiskService
  readonly calls: { all: number; changing: number }
}

/** Says that bytes are in a log that are in this process's memory, until the log is synced: to be noticed. */
export const lazyDisk = (disk: DiskService): DiskService => ({
  ...disk,
  create: (path) =>
    Effect.map(disk.create(path), (file) => {
      if (kindOf(path) !== "log") return file
      let held: Array<Uint8Array> = []
      let bytes = 0
      const written = Effect.suspend(() => {
        const chunks = held
        held = []
        return Effect.asVoid(file.append(chunks))
      })
      return {
        path,
        size: () => bytes,
        append: (chunks) =>
          Effect.sync(() => {
            for (const chunk of chunks) {
              held.push(chunk.slice())
              bytes += chunk.length
            }
          }),
        sync: Effect.andThen(written, file.sync),
        close: Effect.andThen(written, file.close)
      }
    })
})

/** `say` is told of the call, just before the process ends in it. */
export const killingDisk = (
  kill: Kill | undefined,
  say: (line: string) => void,
  disk: DiskService = NodeDisk.make()
): KillingDisk => {
  const calls = { all: 0, changing: 0 }
  const die = (when: string, name: string): void => {
    say(`killed ${when} ${name}`)
    process.kill(process.pid, "SIGKILL")
  }
  /** Counts the call; true if the process has to end after it. */
  const enter = (name: string, isChanging: boolean): boolean => {
    const isHit = kill !== undefined && (kill.among === "all" || isChanging) && calls[kill.among] === kill.call
    calls.all += 1
    if (isChanging) calls.changing += 1
    if (isHit && kill.when === "before") die("before", name)
    return isHit
  }
  const guarded = <A, E, R>(
    [operation, path]: readonly [string, string],
    effect: Effect.Effect<A, E, R>,
    isChanging = true
  ): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const name = `${operation} ${kindOf(path)}`
      return enter(name, isChanging)
        ? Effect.ensuring(
            effect,
            Effect.sync(() => die("after", name))
          )
        : effect
    })
  const reading = <A>(operation: string, path: string, read: () => A): A => {
    const name = `${operation} ${kindOf(path)}`
    const isHit = enter(name, false)
    const result = read()
    if (isHit) die("after", name)
    return result
  }
  const appendFile = (file: AppendFile): AppendFile => ({
    path: file.path,
    size: () => file.size(),
    append: (chunks) => guarded(["append", file.path], file.append(chunks)),
    sync: guarded(["sync", file.path], file.sync),
    close: guarded(["close", file.path], file.close)
  })
  const { openUnsafe } = disk
  const readFile = (file: ReadFile): ReadFile => ({
    path: file.path,
    size: file.size,
    read: (offset, length) => guarded(["read", file.path], file.read(offset, length), false),
    readUnsafe:
      file.readUnsafe &&
      ((offset, length, into) => reading("read", file.path, () => file.readUnsafe!(offset, length, into))),
    close: guarded(["closeRead", file.path], file.close, false),
    closeUnsafe: file.closeUnsafe && (() => reading("closeRead", file.path, () => file.closeUnsafe!()))
  })
  const opened = (effect: Effect.Effect<ReadFile, DiskError>) => Effect.map(effect, readFile)
  return {
    calls,
    disk: {
      ...disk,
      makeDirectory: (path) => guarded(["makeDirectory", path], disk.makeDirectory(path)),
      list: (path) => guarded(["list", path], disk.list(path), false),
      create: (path) => guarded(["create", path], Effect.map(disk.create(path), appendFile)),
      open: (path) => guarded(["open", path], opened(disk.open(path)), false),
      openUnsafe: openUnsafe && ((path) => reading("open", path, () => readFile(openUnsafe(path)))),
      remove: (path) => guarded(["remove", path], disk.remove(path)),
      linkNew: (from, to) => guarded(["link", to], disk.linkNew(from, to)),
      syncDirectory: (path) => guarded(["syncDirectory", path], disk.syncDirectory(path)),
      freeBytes: (path) => guarded(["freeBytes", path], disk.freeBytes(path), false),
      lock: (path) => guarded(["lock", path], disk.lock(path))
    }
  }
}
