// What is read of a file when it is first needed, kept while the bounds allow (openFiles.ts), and read again when it
// was given up meanwhile.
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { ReadFile } from "../../services/Disk.ts"
import type { FileHolder, OpenFilesService } from "../../services/OpenFiles.ts"

export interface LoadedPartsOptions<A> {
  readonly files: OpenFilesService
  readonly holder: FileHolder
  readonly read: (file: ReadFile) => Effect.Effect<A, DatabaseError>
  /** `undefined` if the disk needs time. Throws `DatabaseError`. */
  readonly readNow: (file: ReadFile) => A | undefined
  /** They came to memory. Returns the bytes that they hold there. */
  readonly onLoaded: (parts: A) => number
}

export class LoadedParts<A> {
  /** If they are in memory. */
  current: A | undefined = undefined
  readonly load: Effect.Effect<A, DatabaseError>
  private readonly options: LoadedPartsOptions<A>
  private loading: Deferred.Deferred<A, DatabaseError> | undefined = undefined

  constructor(options: LoadedPartsOptions<A>) {
    this.options = options
    this.load = Effect.uninterruptibleMask((restore) => {
      const { loading } = this
      if (loading === undefined) return this.loadOnce(restore)
      // What another read ran into says little about this one, which may be of a better moment.
      return Effect.catch(restore(Deferred.await(loading)), () => this.loadOnce(restore))
    })
  }

  loadNow(): A | undefined {
    if (this.current !== undefined) return this.current
    const { files, holder, readNow } = this.options
    const file = files.fileUnsafe(holder)
    if (file === undefined) return undefined
    try {
      const parts = readNow(file)
      return parts === undefined ? undefined : this.admit(parts)
    } catch (error) {
      files.giveUpNow(holder)
      throw error
    }
  }

  forget(): void {
    this.current = undefined
  }

  private loadOnce(
    restore: <B, E>(effect: Effect.Effect<B, E>) => Effect.Effect<B, E>
  ): Effect.Effect<A, DatabaseError> {
    const { current, loading } = this
    if (current !== undefined) return Effect.succeed(current)
    return loading === undefined ? this.loadLater() : restore(Deferred.await(loading))
  }

  // Not interruptible, for it is a few reads, and others may be waiting for it.
  private loadLater(): Effect.Effect<A, DatabaseError> {
    const { files, holder, read } = this.options
    const loading = Deferred.makeUnsafe<A, DatabaseError>()
    this.loading = loading
    return files
      .use(holder, (file) => Effect.map(read(file), (parts) => this.admit(parts)))
      .pipe(
        Effect.onError(() => files.giveUp(holder)),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            this.loading = undefined
            Deferred.doneUnsafe(loading, exit)
          })
        )
      )
  }

  private admit(parts: A): A {
    // Another read may have been quicker.
    if (this.current !== undefined) return this.current
    const { files, holder, onLoaded } = this.options
    this.current = parts
    files.loaded(holder, onLoaded(parts))
    return parts
  }
}
