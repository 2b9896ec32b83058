// Doing what was chosen of the value files. New files are durable before the manifest names them; one edit makes them
// live and those that were read dead; only then readers see them. Whatever fails before the edit leaves all as it was.
//
// Nothing is written to the tree: tables name logical files, and the manifest says which file has them. So a collection
// cannot bring a removed key back, and compactions go on beside it. They can only drop references to these files, never
// add one: a flush adds a value file and the table that names it in one edit. What the tables of any one moment name is
// therefore enough for ever after, and the collection copies what those of its beginning name, which it holds.
//
// That moment is one step: tables and value files both from the view of readers. Of the manifest's state it may be
// behind, by an edit that was published and is not shown yet; it is never half of one.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { JobsService } from "../../services/Jobs.ts"
import type { ManifestService, ValueFileMeta } from "../../services/Manifest.ts"
import type { ValueLogService } from "../../services/ValueLog.ts"
import type { CollectionChoice } from "../structure/collectionPicker.ts"
import type { LiveView } from "./view.ts"

export interface CollectionParts {
  readonly live: LiveView
  readonly manifest: ManifestService
  readonly values: ValueLogService
  readonly jobs: JobsService
  readonly fileBytesMax: number
}

/** What there is to do. */
export type Collection = Exclude<CollectionChoice<ValueFileMeta>, { readonly _tag: "Nothing" }>

export interface Collected {
  readonly bytesRemoved: number
  readonly bytesWritten: number
  /** Numbers of the new files. */
  readonly made: ReadonlyArray<number>
}

export const collect = Effect.fn("Collection.run")(function* (
  parts: CollectionParts,
  work: Collection
): Effect.fn.Return<Collected, DatabaseError> {
  const made = work._tag === "Drop" ? yield* replace(parts, work.files, []) : yield* rewrite(parts, work.files)
  const numbers = made.map(({ number }) => number)
  return { bytesRemoved: bytesOf(work.files), bytesWritten: bytesOf(made), made: numbers }
})

const bytesOf = (files: ReadonlyArray<ValueFileMeta>): number => files.reduce((sum, { bytes }) => sum + bytes, 0)

const rewrite = (parts: CollectionParts, files: ReadonlyArray<ValueFileMeta>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => parts.live.pinTables()),
    (pinned) =>
      // An interruption comes while the job runs, or after the install: in between nobody would remove what was made.
      Effect.uninterruptible(
        Effect.flatMap(parts.jobs.collect(jobOf(parts, pinned.tables, files)), (made) =>
          replace(parts, files, made).pipe(
            // After a failed sync nobody knows which files a crash would leave live.
            Effect.tapError(({ reason }) => (reason._tag === "Poisoned" ? Effect.void : discard(parts, made)))
          )
        )
      ),
    (pinned) => Effect.sync(pinned.release)
  )

const jobOf = (
  { fileBytesMax }: CollectionParts,
  tables: LiveView["tables"],
  files: ReadonlyArray<ValueFileMeta>
): Parameters<JobsService["collect"]>[0] => {
  const ids = new Set(files.flatMap(({ sections }) => sections.map(({ id }) => id)))
  const named = tables.filter(({ meta }) => meta.valueRefs.some(({ file }) => ids.has(file)))
  return { _tag: "Collect", files, tables: named.map(({ meta }) => meta), fileBytesMax }
}

/** Publishes the change and shows it to readers, in one step that is not interrupted. */
const replace = (
  { live, manifest, values }: CollectionParts,
  removed: ReadonlyArray<ValueFileMeta>,
  made: ReadonlyArray<ValueFileMeta>
): Effect.Effect<ReadonlyArray<ValueFileMeta>, DatabaseError> => {
  const numbers = removed.map(({ number }) => number)
  return Effect.uninterruptible(
    Effect.map(manifest.publish({ removeValueFiles: numbers, addValueFiles: made }), () => {
      live.replaceValues({ removeValues: new Set(numbers), addValues: made.map((meta) => values.handle(meta)) })
      return made
    })
  )
}

const discard = ({ values }: CollectionParts, metas: ReadonlyArray<ValueFileMeta>): Effect.Effect<void> =>
  Effect.forEach(metas, (meta) => values.remove(meta), { discard: true })
