// The sources under a directory: what the demo stores, without programs and other binaries.
import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import type { Shape } from "./settings.ts"

const isSource = (name: string): boolean => /\.(?:[cm]?[jt]s|json|md|map)$/.test(name)
const pieceBytes = 1000

export interface Entry {
  readonly key: string
  readonly value: Uint8Array
}

/** In the order of their keys. */
export const entriesOf = (root: string, shape: Shape): ReadonlyArray<Entry> => {
  const files = readdirSync(root, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && isSource(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path): Entry => ({ key: relative(root, path), value: new Uint8Array(readFileSync(path)) }))
    .filter(({ key, value }) => !key.startsWith(".") && value.length > 0)
  const entries = shape === "files" ? files : files.flatMap(piecesOf)
  return entries.sort((a, b) => (a.key < b.key ? -1 : 1))
}

const piecesOf = ({ key, value }: Entry): ReadonlyArray<Entry> =>
  Array.from({ length: Math.ceil(value.length / pieceBytes) }, (_, index) => ({
    key: `${key}#${String(index).padStart(6, "0")}`,
    value: value.subarray(index * pieceBytes, (index + 1) * pieceBytes)
  }))
