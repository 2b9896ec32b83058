// What this process wrote, and what lies on the disk.
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"

/** Of all files under the directory. Files may come and go meanwhile. */
export const bytesUnder = (directory: string): number =>
  readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce(
      (sum, entry) => sum + (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0),
      0
    )

/** Bytes that this process, threads included, gave to `write` and its like; `undefined` where Linux does not tell. */
export const bytesWritten = (): number | undefined => {
  try {
    const [, written] = /^wchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8")) ?? []
    return written === undefined ? undefined : Number(written)
  } catch {
    return undefined
  }
}
