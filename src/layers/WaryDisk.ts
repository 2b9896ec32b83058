/**
 * A disk that does not believe a directory again whose sync has failed.
 *
 * A failed sync of a directory may drop the names that were pending then, also those of files that somebody else was
 * making, and a later sync that succeeds says nothing about them. So every later sync of that directory fails with the
 * same error: what is not published yet never will be, until the database is opened again.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
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
    const check = (directory: string): Effect.Effect<void, DiskError> =>
      Effect.suspend(() => {
        const error = failed.get(directory)
        return error === undefined ? Effect.void : Effect.fail(error)
      })
    const remember = (directory: string, error: DiskError) =>
      Effect.sync(() => {
        // A directory that is not there had no names to lose.
        if (error.code !== "ENOENT") failed.set(directory, error)
      })
    return Disk.of({
      ...disk,
      // Looked at before and after: the failure may have come while this one was under way.
      syncDirectory: (directory) =>
        check(directory).pipe(
          Effect.andThen(Effect.tapError(disk.syncDirectory(directory), (error) => remember(directory, error))),
          Effect.andThen(check(directory))
        )
    })
  })
)
