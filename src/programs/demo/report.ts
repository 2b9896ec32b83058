// The demo's table.
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { RecoveryReport } from "../../services/Database.ts"
import { onFile } from "../failure.ts"
import * as Files from "../files.ts"
import { bytesText, countText, plural } from "../table.ts"

export const recoveryText = (report: RecoveryReport): string => {
  const { bytes, clean, commits, filesRemoved, millis, segments, tailDropped } = report
  const replayed =
    `${clean ? "closed" : "not closed"}; ${plural(segments, "log segment")}, ${plural(commits, "commit")}, ` +
    `${bytesText(bytes)} replayed in ${Math.round(millis)} ms; ${plural(filesRemoved, "unfinished file")} removed`
  return tailDropped === undefined
    ? `${replayed}; no torn tail`
    : `${replayed}; ${countText(tailDropped.bytes)} B of torn tail dropped from ${tailDropped.file} ` +
        `at ${countText(tailDropped.offset)} (${tailDropped.reason})`
}

/** `12.3 µs`, `1.2 ms`. */
export const nanosText = (nanos: number): string =>
  nanos < 1e6 ? `${(nanos / 1e3).toFixed(1)} µs` : `${(nanos / 1e6).toFixed(1)} ms`

export const percentile = (sorted: Float64Array, percent: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0

export const rateText = (bytes: number, millis: number): string =>
  millis <= 0 ? "-" : `${(bytes / 1e3 / millis).toFixed(0)} MB/s`

const kinds: ReadonlyArray<readonly [extension: string, name: string]> = [
  [".sst", "tables"],
  [".val", "values"],
  [".wal", "log"],
  [".man", "manifest"]
]

/** The files of the database by kind. */
export const sizesOnDisk = Effect.fnUntraced(function* (directory: string) {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const names = yield* onFile(directory)(files.readDirectory(directory))
  const sizes = yield* Effect.forEach(names, (name) => onFile(name)(Files.bytesOf(paths.join(directory, name))))
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0)
  const parts = kinds.map(([extension, kind]) => {
    const bytes = sizes.filter((_, index) => names[index]!.endsWith(extension)).reduce((sum, size) => sum + size, 0)
    return `${kind} ${bytesText(bytes)}`
  })
  return { total, text: `${bytesText(total)}: ${parts.join(", ")}` }
})
