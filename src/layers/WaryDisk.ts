/**
 * A disk that does not believe a directory again whose sync has failed.
 *
 * A failed sync of a directory may drop the names that were pending then, also those of files that somebody else was
 * making, and a later sync that succeeds says nothing about them. So every later sync of that directory fails with the
 * same error: what is not published yet never will be, until the database is opened again. Syncs of one directory wait
 * for each other: of two at the same time, the one that succeeds may be told of it before the one that fails, and
 * would not know that its names are gone.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { Disk, type DiskError } from "../services/Disk.ts"

/**
 * Wraps the disk that it is given. The database does this itself.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Disk, never, Disk> = Layer.effect(
  Disk,
  Effect.map(Disk, (disk) => {
    const failed = new Map<string, DiskError>()
    const turns = new Map<string, { readonly semaphore: Semaphore.Semaphore; users: number }>()
    const inTurn = <A, E>(directory: string, body: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const turn = turns.get(directory) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
          turns.set(directory, turn)
          turn.users += 1
          return turn
        }),
        ({ semaphore }) => semaphore.withPermit(body),
        (turn) =>
          Effect.sync(() => {
            turn.users -= 1
            if (turn.users === 0) turns.delete(directory)
          })
      )
    const sync = (directory: string): Effect.Effect<void, DiskError> =>
      Effect.suspend(() => {
        const error = failed.get(directory)
        if (error !== undefined) return Effect.fail(error)
        return Effect.tapError(disk.syncDirectory(directory), (error) =>
          Effect.sync(() => {
            // A directory that is not there had no names to lose.
            if (error.code !== "ENOENT") failed.set(directory, error)
          })
        )
      })
    return Disk.of({
      ...disk,
      // Not to be interrupted between a failure and its being remembered.
      syncDirectory: (directory) => inTurn(directory, Effect.uninterruptible(sync(directory)))
    })
  })
)
