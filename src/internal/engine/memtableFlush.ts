// A frozen memtable as a job of its own: its versions are listed in slices, and merged with nothing into one table and
// the value files that its large values move to.
//
// The list is the only memory that a flush needs here. It is kept from flush to flush, and shared where that is
// possible: a fresh one for each would not be freed in time (see layers/ArenaMemtable.ts).
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { JobsService, Merged, MergeJob } from "../../services/Jobs.ts"
import type { ManifestService, TableMeta } from "../../services/Manifest.ts"
import type { MemtableHandle } from "../../services/Memtable.ts"
import type { OptionsShape } from "../../services/Options.ts"
import { assert } from "../format/formatError.ts"
import { VersionLister, versionWords } from "../structure/frozenMemtable.ts"
import { unionOf } from "../structure/keySpans.ts"

/** Listed in one slice: a third of a millisecond, and three times that where memory is slow. */
const sliceVersionsMax = 2048

/** What readers can ask for. */
export interface Horizon {
  readonly snapshots: ReadonlyArray<number>
  readonly nowMillis: number
}

export interface FlushingParts {
  readonly options: OptionsShape
  readonly jobs: JobsService
  readonly manifest: ManifestService
}

/** One table, or none if nothing of the memtable is to be kept. */
export interface Flushed {
  readonly table: TableMeta | undefined
  readonly valueFiles: Merged["valueFiles"]
}

const nothing: Flushed = { table: undefined, valueFiles: [] }

export class MemtableFlush {
  private readonly parts: FlushingParts
  private list: Uint32Array = new Uint32Array(0)

  constructor(parts: FlushingParts) {
    this.parts = parts
  }

  /**
   * Writes the memtable, which is the oldest there is, as a table of level 0. `unpublished` are tables that hold older
   * commits and are not in the manifest yet. One at a time.
   */
  readonly run = Effect.fnUntraced(
    { self: this as MemtableFlush },
    function* (
      this: MemtableFlush,
      memtable: MemtableHandle,
      horizon: Horizon,
      unpublished: ReadonlyArray<TableMeta>
    ): Effect.fn.Return<Flushed, DatabaseError> {
      const { jobs, manifest, options } = this.parts
      const { entryCount, rangeRemovals } = memtable
      if (entryCount === 0 && rangeRemovals.length === 0) return nothing
      const versions = this.room(entryCount * versionWords)
      const lister = new VersionLister(memtable, versions)
      while (!lister.slice(sliceVersionsMax)) yield* Effect.yieldNow
      const { bytes, used } = memtable.arena
      const job: MergeJob = {
        ...horizon,
        memtables: [{ bytes: bytes.subarray(0, used), versions, rangeRemovals }],
        runs: [],
        from: undefined,
        to: undefined,
        level: 0,
        deeper: unionOf([...manifest.state().tables, ...unpublished]),
        grandparents: [],
        tableBytesMax: Number.MAX_SAFE_INTEGER,
        values: { threshold: options.valueThreshold, fileBytesMax: options.valueFileBytesMax }
      }
      const { tables, valueFiles } = yield* jobs.run(job)
      assert(tables.length <= 1, "a memtable becomes one table")
      return { table: tables[0], valueFiles }
    }
  )

  private room(words: number): Uint32Array {
    if (this.list.length < words) {
      const bytes = 4 * Math.max(words, 2 * this.list.length)
      this.list = new Uint32Array(
        typeof SharedArrayBuffer === "undefined" ? new ArrayBuffer(bytes) : new SharedArrayBuffer(bytes)
      )
    }
    return this.list.subarray(0, words)
  }
}
