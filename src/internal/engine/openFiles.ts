// The files of tables and values that are open, and what is in memory of them: at most so many files, and at most so
// many bytes of indexes and filters. Whoever needs one more makes room: it closes the file, or drops the parts, that
// were not used for the longest time, as a clock tells (a hit sets a bit; the hand clears it and passes on, and takes
// the first that has none).
//
// A file that an effect is using is never closed, so when all are in use, the next one waits for its turn. Whoever has
// the parts of a file may keep them, also when they are dropped here: they never change.
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { BlockCacheService } from "../../services/BlockCache.ts"
import { Closed, type DatabaseError, fail } from "../../services/DatabaseError.ts"
import { DiskError, type DiskService, type ReadFile } from "../../services/Disk.ts"
import type { FileHolder, FileState, OpenFilesService } from "../../services/OpenFiles.ts"
import { assert } from "../format/formatError.ts"
import { attempt } from "./attempt.ts"
import { WaitList } from "./gate.ts"

/** Where a holder begins. */
export const fileState = (): FileState => ({ file: undefined, bytes: 0, users: 0, opening: undefined, closed: false })

export class OpenFiles implements OpenFilesService {
  private readonly disk: DiskService
  private readonly cache: BlockCacheService
  private readonly filesMax: number
  private readonly bytesMax: number
  /** Those with an open file, in the order in which the hand comes to them. */
  private readonly holders = new Set<FileHolder>()
  /** Files that are open, or being opened or closed. */
  private count = 0
  private bytes = 0
  /** Woken when a file is not used any more, or closed. */
  private readonly freed = new WaitList()

  constructor(options: {
    readonly disk: DiskService
    readonly cache: BlockCacheService
    readonly filesMax: number
    /** Of parts in memory, but for those of the table that was loaded last. */
    readonly bytesMax: number
  }) {
    this.disk = options.disk
    this.cache = options.cache
    this.filesMax = options.filesMax
    this.bytesMax = options.bytesMax
  }

  /** Files that are open, or being opened or closed. */
  get openCount(): number {
    return this.count
  }

  /** The holder's file, for the synchronous step that asks. `undefined` if it cannot be had at once. */
  fileUnsafe(holder: FileHolder): ReadFile | undefined {
    checkOpen(holder)
    const { file, opening } = holder.state
    if (file !== undefined) return file
    const { disk } = this
    if (disk.openUnsafe === undefined || opening !== undefined || !this.makeRoomNow()) return undefined
    try {
      const opened = disk.openUnsafe(holder.path)
      this.count += 1
      this.opened(holder, opened)
      return opened
    } catch (error) {
      throw error instanceof DiskError ? holder.ofOpen(error) : error
    }
  }

  /** The holder's file stays open while the effect uses it. */
  use<A>(
    holder: FileHolder,
    body: (file: ReadFile) => Effect.Effect<A, DatabaseError>
  ): Effect.Effect<A, DatabaseError> {
    return Effect.acquireUseRelease(this.acquire(holder), body, () => Effect.sync(() => this.release(holder)))
  }

  /** The holder's parts came to memory. Others give theirs up if there are too many bytes of them. */
  loaded(holder: FileHolder, bytes: number): void {
    assert(holder.state.bytes === 0 && bytes > 0, "parts are loaded once until they are forgotten")
    holder.state.bytes = bytes
    this.bytes += bytes
    this.cache.chargeUnsafe(bytes)
    while (this.bytes > this.bytesMax) {
      const victim = this.next((other) => other.state.bytes > 0 && other !== holder)
      if (victim === undefined) break
      this.forget(victim)
    }
  }

  /** Closes the holder's file when nobody uses it any more; from now on nobody can. */
  close(holder: FileHolder): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { state } = holder
      state.closed = true
      const { turn } = this.freed
      if (state.users > 0) return Effect.andThen(this.freed.waitFrom(turn), this.close(holder))
      this.forget(holder)
      return state.file === undefined ? Effect.void : this.closeFile(this.detach(holder))
    })
  }

  /** Closes the file, unless others are using it: the next who needs it opens it anew. */
  giveUp(holder: FileHolder): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { file, users } = holder.state
      return file === undefined || users > 0 ? Effect.void : this.closeFile(this.detach(holder))
    })
  }

  giveUpNow(holder: FileHolder): void {
    if (holder.state.file !== undefined && holder.state.users === 0) this.closeNow(this.detach(holder))
  }

  private acquire(holder: FileHolder): Effect.Effect<ReadFile, DatabaseError> {
    return Effect.suspend(() => {
      const { state } = holder
      state.users += 1
      if (state.file !== undefined && !state.closed) return Effect.succeed(state.file)
      return Effect.onError(this.open(holder), () => Effect.sync(() => this.release(holder)))
    })
  }

  private release({ state }: FileHolder): void {
    state.users -= 1
    if (state.users === 0) this.freed.wakeAll()
  }

  private open(holder: FileHolder): Effect.Effect<ReadFile, DatabaseError> {
    return Effect.suspend(() => {
      const { state } = holder
      // Whoever asks on the calling stack may have opened it since: the fiber may have yielded before this step.
      if (state.file !== undefined && !state.closed) return Effect.succeed(state.file)
      if (state.opening !== undefined) return Deferred.await(state.opening)
      const opening = Deferred.makeUnsafe<ReadFile, DatabaseError>()
      state.opening = opening
      return Effect.andThen(this.makeRoom(holder), this.openNew(holder)).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            state.opening = undefined
            Deferred.doneUnsafe(opening, exit)
          })
        )
      )
    })
  }

  private openNew(holder: FileHolder): Effect.Effect<ReadFile, DatabaseError> {
    return this.disk.open(holder.path).pipe(
      Effect.tapError(() => Effect.sync(() => this.gone())),
      Effect.mapError(holder.ofOpen),
      Effect.tap((file) => Effect.sync(() => this.opened(holder, file)))
    )
  }

  private opened(holder: FileHolder, file: ReadFile): void {
    holder.state.file = file
    this.holders.add(holder)
  }

  /** Counts one more file, when there is room for it. */
  private makeRoom(holder: FileHolder): Effect.Effect<void, DatabaseError> {
    return attempt(() => {
      checkOpen(holder)
      if (this.count < this.filesMax) {
        this.count += 1
        return Effect.void
      }
      const { turn } = this.freed
      const victim = this.idle()
      const room = victim === undefined ? this.freed.waitFrom(turn) : this.closeFile(this.detach(victim))
      return Effect.andThen(room, this.makeRoom(holder))
    })
  }

  private makeRoomNow(): boolean {
    while (this.count >= this.filesMax) {
      const victim = this.idle()
      if (victim === undefined) return false
      this.closeNow(this.detach(victim))
    }
    return true
  }

  private closeNow(file: ReadFile): void {
    try {
      file.closeUnsafe!()
    } catch (error) {
      // A file that was only read has nothing to lose.
      if (!(error instanceof DiskError)) throw error
    }
    this.gone()
  }

  private closeFile(file: ReadFile): Effect.Effect<void> {
    return Effect.andThen(
      Effect.ignore(file.close),
      Effect.sync(() => this.gone())
    )
  }

  /** A file was closed, or was not opened after all. */
  private gone(): void {
    this.count -= 1
    this.freed.wakeAll()
  }

  private idle(): FileHolder | undefined {
    return this.next(({ state }) => state.users === 0)
  }

  /** The holder's file, which is no longer open here, and which the caller closes. */
  private detach(holder: FileHolder): ReadFile {
    this.forget(holder)
    this.holders.delete(holder)
    const file = holder.state.file!
    holder.state.file = undefined
    return file
  }

  private forget(holder: FileHolder): void {
    const { state } = holder
    if (state.bytes === 0) return
    this.bytes -= state.bytes
    this.cache.chargeUnsafe(-state.bytes)
    state.bytes = 0
    holder.forget()
  }

  /** The next one under the hand that will do. In a second round, none has a bit any more. */
  private next(willDo: (holder: FileHolder) => boolean): FileHolder | undefined {
    for (let left = 2 * this.holders.size; left > 0; left--) {
      const [holder] = this.holders
      this.holders.delete(holder!)
      this.holders.add(holder!)
      if (!willDo(holder!)) continue
      if (!holder!.visited) return holder
      holder!.visited = false
    }
    return undefined
  }
}

const checkOpen = ({ path, state }: FileHolder): void => {
  if (!state.closed) return
  throw fail(new Closed({ message: `${path} is closed: it was replaced, or its database's scope has ended` }))
}
