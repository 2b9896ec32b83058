// The disk of the machine, of which only so many bytes may be used: a full disk where no small file system can be
// mounted. Bytes count for files that were made through it, until their last name is removed; an append that does not
// fit is taken in part, as by the system.
import { Effect } from "effect"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import { type AppendFile, DiskError, type DiskService } from "../../src/services/Disk.ts"

export interface BudgetDisk {
  readonly disk: DiskService
  /** Takes room, as another program would, or gives it back. */
  readonly take: (bytes: number) => void
}

interface Counted {
  bytes: number
  names: number
}

const prefixOf = (chunks: ReadonlyArray<Uint8Array>, bytes: number): ReadonlyArray<Uint8Array> => {
  let left = bytes
  return chunks.map((chunk) => {
    const part = chunk.subarray(0, left)
    left -= part.length
    return part
  })
}

export const budgetDisk = (budgetBytes: number): BudgetDisk => {
  const disk = NodeDisk.make()
  const files = new Map<string, Counted>()
  let used = 0
  const append = (file: AppendFile, counted: Counted, chunks: ReadonlyArray<Uint8Array>) =>
    Effect.suspend(() => {
      const wanted = chunks.reduce((sum, { length }) => sum + length, 0)
      const accepted = Math.max(0, Math.min(wanted, budgetBytes - used))
      used += accepted
      counted.bytes += accepted
      if (accepted === wanted) return file.append(chunks)
      const site = { operation: "append", file: file.path, code: "ENOSPC", bytesAccepted: accepted }
      const part = accepted === 0 ? Effect.void : file.append(prefixOf(chunks, accepted))
      return Effect.andThen(part, Effect.fail(new DiskError(site)))
    })
  const wrap = (file: AppendFile): AppendFile => {
    const counted = { bytes: 0, names: 1 }
    files.set(file.path, counted)
    return {
      path: file.path,
      size: () => file.size(),
      append: (chunks) => append(file, counted, chunks),
      sync: file.sync,
      close: file.close
    }
  }
  const removed = (path: string): void => {
    const counted = files.get(path)
    if (counted === undefined) return
    files.delete(path)
    counted.names -= 1
    if (counted.names === 0) used -= counted.bytes
  }
  const linked = (from: string, to: string): void => {
    const counted = files.get(from)
    if (counted === undefined) return
    counted.names += 1
    files.set(to, counted)
  }
  return {
    take: (bytes) => {
      used += bytes
    },
    disk: {
      ...disk,
      create: (path) => Effect.map(disk.create(path), wrap),
      remove: (path) => Effect.tap(disk.remove(path), () => Effect.sync(() => removed(path))),
      linkNew: (from, to) => Effect.tap(disk.linkNew(from, to), () => Effect.sync(() => linked(from, to))),
      freeBytes: () => Effect.sync(() => Math.max(0, budgetBytes - used))
    }
  }
}
