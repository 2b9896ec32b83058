// What a job is to do (the same as `services/Jobs.ts` says it, which this may not import), and what it has to know of
// the database: plain data, so that both can be sent to a worker.
import type { FileHeader } from "../format/fileHeader.ts"
import type { TableMeta } from "../format/tableMeta.ts"
import type { ValueFileMeta } from "../format/valueFileMeta.ts"
import type { FrozenMemtable } from "./frozenMemtable.ts"
import type { NewFile } from "./jobRequest.ts"
import type { Bounds } from "./keySpans.ts"
import type { Grandparent } from "./tableCuts.ts"
import type { KeySpan } from "./versionSource.ts"

export interface JobWork extends KeySpan {
  readonly memtables: ReadonlyArray<FrozenMemtable>
  readonly runs: ReadonlyArray<ReadonlyArray<TableMeta>>
  readonly level: number
  readonly snapshots: ReadonlyArray<number>
  readonly nowMillis: number
  readonly deeper: ReadonlyArray<Bounds>
  readonly grandparents: ReadonlyArray<Grandparent>
  readonly tableBytesMax: number
  readonly values: { readonly threshold: number; readonly fileBytesMax: number } | undefined
}

export interface CollectWork {
  readonly _tag: "Collect"
  readonly files: ReadonlyArray<ValueFileMeta>
  readonly tables: ReadonlyArray<TableMeta>
  readonly fileBytesMax: number
}

export type AnyWork = JobWork | CollectWork

export const isCollect = (work: AnyWork): work is CollectWork => "_tag" in work

/** Writers wait for a flush. */
export const isFlush = (work: AnyWork): boolean => !isCollect(work) && work.memtables.length > 0

export interface JobSetup extends Pick<
  FileHeader,
  "databaseId" | "incarnation" | "epoch" | "format" | "tagBytes" | "keyGeneration"
> {
  readonly blockBytes: number
  /** Of blocks that get shorter by the codec. */
  readonly compressedBlockBytes: number
  readonly filterBitsPerKey: number
  readonly indexBytesMax: number
  /** Ids of codecs: of new tables, and of values that come into value files. Those that are copied stay as they are. */
  readonly tableCodec: number
  readonly valuesCodec: number
  /** For new files. When they are used up, the job asks for more. */
  readonly files: ReadonlyArray<NewFile>
}

/** Numbers that are given out together: one asks for more seldom, and leaves few unused. */
const filesMax = 32

/** How many new files the job will make at most, as far as can be known. */
export const filesExpected = (work: AnyWork): number => {
  if (isCollect(work)) {
    const bytes = work.files.reduce((sum, file) => sum + file.bytes, 0)
    return Math.min(filesMax, 1 + Math.floor(bytes / work.fileBytesMax))
  }
  let bytes = 0
  for (const memtable of work.memtables) bytes += memtable.bytes.length
  for (const run of work.runs) for (const table of run) bytes += table.bytes
  const tables = Math.ceil(bytes / work.tableBytesMax)
  const valueFiles = work.values === undefined ? 0 : 1 + Math.floor(bytes / work.values.fileBytesMax)
  // Tables are also cut before they are full.
  return Math.min(filesMax, valueFiles + (tables <= 1 ? 1 : tables + 2))
}
