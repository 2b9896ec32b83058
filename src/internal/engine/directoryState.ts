// What the names in a directory say: which files are ours, and whether a database may be created here.
//
// A creation writes, in this order: log segments without commits, if it is encrypted a keyring, a manifest, and the
// marker that makes it a database.
// So without a valid marker
//
//   nothing, or names that no one cares about           empty: create
//   keyrings, manifests, torn markers, ballasts,
//     segments without commits                          an unfinished creation: create anew
//   tables, value files, segments with commits          a database whose marker is lost: damage, touch nothing
//   anything that is not ours                           somebody else's directory: refuse
import type { DirectoryEntry } from "../../services/Disk.ts"
import { fileHeaderBytes } from "../format/fileHeader.ts"
import { type FileNameKind, parseFileName } from "../format/fileName.ts"
import { frameHeaderBytes } from "../format/logFrame.ts"
import { tagBytesMax } from "../format/sealer.ts"

export interface OwnFile {
  readonly name: string
  readonly number: number
  readonly bytes: number
}

export interface DirectoryState {
  /** The highest number first. */
  readonly markers: ReadonlyArray<OwnFile>
  readonly manifests: ReadonlyArray<OwnFile>
  readonly logs: ReadonlyArray<OwnFile>
  readonly tables: ReadonlyArray<OwnFile>
  readonly valueFiles: ReadonlyArray<OwnFile>
  readonly ballasts: ReadonlyArray<OwnFile>
  /** The highest number first. */
  readonly keyrings: ReadonlyArray<OwnFile>
  /** Names that keep a database from being created here. */
  readonly foreign: ReadonlyArray<string>
  /** The highest number in a name of ours, whatever bears it; 0 if there is none. */
  readonly numberMax: number
}

// What file systems and file managers leave in any directory, beside names that begin with a dot.
const harmless = new Set(["lost+found", "Thumbs.db", "desktop.ini"])

export const directoryState = (entries: ReadonlyArray<DirectoryEntry>): DirectoryState => {
  const files: Record<Exclude<FileNameKind, "lock">, Array<OwnFile>> = {
    marker: [],
    manifest: [],
    log: [],
    table: [],
    value: [],
    ballast: [],
    keyring: []
  }
  const foreign: Array<string> = []
  let numberMax = 0
  for (const { bytes, kind, name } of entries) {
    const parsed = parseFileName(name)
    if (parsed === undefined) {
      if (!name.startsWith(".") && !harmless.has(name)) foreign.push(name)
    } else if (parsed.kind !== "lock") {
      numberMax = Math.max(numberMax, parsed.number)
      if (kind === "file") files[parsed.kind].push({ name, number: parsed.number, bytes })
      else foreign.push(name)
    }
  }
  const newestFirst = (a: OwnFile, b: OwnFile) => b.number - a.number
  return {
    markers: files.marker.sort(newestFirst),
    manifests: files.manifest,
    logs: files.log,
    tables: files.table,
    valueFiles: files.value,
    ballasts: files.ballast,
    keyrings: files.keyring.sort(newestFirst),
    foreign,
    numberMax
  }
}

// The base segment of a database without commits: the header and a LINK (20 bytes), with the longest tag.
const emptySegmentBytesMax = fileHeaderBytes + frameHeaderBytes + 20 + tagBytesMax

/** Files that only a database that was once complete can have left. */
export const dataFiles = (state: DirectoryState): ReadonlyArray<OwnFile> => [
  ...state.tables,
  ...state.valueFiles,
  ...state.logs.filter(({ bytes }) => bytes > emptySegmentBytesMax)
]
