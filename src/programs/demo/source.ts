// The demo's data: the files of the packages under node_modules, cut into batches. Parent and child list it for
// themselves and get the same batches, so that a batch's number says what is in it.
//
//   batch := file{1,1000}   of at most 1 MiB each and 4 MiB together, in memory as a whole
//          | file           of more than 1 MiB, in memory in pieces
//
// Each is one commit, the second kind too: so a batch's number also counts commits.
import * as Effect from "effect/Effect"
import * as Path from "effect/Path"
import * as Stream from "effect/Stream"
import { onFile } from "../failure.ts"
import * as Files from "../files.ts"
import { batchOperationsMax, overLimit } from "../load.ts"

export interface SourceFile {
  readonly path: string
  readonly bytes: number
}

/** The files from `start` to before `end`, which go into one commit. */
export interface FileBatch {
  readonly start: number
  readonly end: number
  readonly bytes: number
}

export interface Source {
  readonly root: string
  readonly files: ReadonlyArray<SourceFile>
  readonly batches: ReadonlyArray<FileBatch>
  readonly bytes: number
  /** Over the value limit. */
  readonly skipped: ReadonlyArray<SourceFile>
}

// A batch is in memory with its encoding in the log.
const batchBytesMax = 4 * 1024 * 1024

/** The longest file, and the longest value, that the demo has in memory as a whole. */
export const wholeBytesMax = 1024 * 1024

export const isLong = ({ bytes }: { readonly bytes: number }): boolean => bytes > wholeBytesMax

const cut = (files: ReadonlyArray<SourceFile>): ReadonlyArray<FileBatch> => {
  const batches: Array<FileBatch> = []
  let start = 0
  let bytes = 0
  for (const [index, file] of files.entries()) {
    const isFull = bytes + file.bytes > batchBytesMax || index - start === batchOperationsMax
    if (index > start && (isFull || isLong(file) || isLong(files[start]!))) {
      batches.push({ start, end: index, bytes })
      start = index
      bytes = 0
    }
    bytes += file.bytes
  }
  if (start < files.length) batches.push({ start, end: files.length, bytes })
  return batches
}

// Beside the packages, node_modules has links to their programs and caches of tools, which change while they are read.
const isNoPackage = (path: string): boolean => path.startsWith(".")

export const list = Effect.fnUntraced(function* (root: string, valueBytesMax: number) {
  const paths = yield* Path.Path
  const all = yield* Files.walk({ root, except: isNoPackage }).pipe(
    Stream.filter(({ path, type }) => type === "file" && !isNoPackage(path)),
    Stream.mapEffect(({ path }) =>
      Effect.map(onFile(path)(Files.bytesOf(paths.join(root, path))), (bytes): SourceFile => ({ path, bytes }))
    ),
    Stream.runCollect
  )
  const files = all.filter(({ bytes }) => overLimit(bytes, valueBytesMax) === undefined)
  const source: Source = {
    root,
    files,
    batches: cut(files),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    skipped: all.filter(({ bytes }) => overLimit(bytes, valueBytesMax) !== undefined)
  }
  return source
})
