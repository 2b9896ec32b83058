// Which generation of the data key the files in the directory are sealed with, by their headers: what is live, and also
// what readers still hold, what a commit has brought along and not entered, and what could not be removed.
//
// A file's header is written once, so a file that has one is looked at once. A file without a whole header is being
// made, or was left behind; it is sealed with the newest key if its number was given out after that was made.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { OlderFile } from "../../services/Manifest.ts"
import { decodeFileHeader, type FileHeader, fileHeaderBytes, FileKind } from "../format/fileHeader.ts"
import { FormatError } from "../format/formatError.ts"
import { ofDisk } from "./diskErrors.ts"
import { directoryState, type OwnFile } from "./directoryState.ts"
import type { FileParts } from "./ownFiles.ts"

/** What else is known. */
export interface KnownKeys {
  /** The newest generation. */
  readonly generation: number
  /** Files of this number and above are sealed with it. */
  readonly numberMin: number
}

/** Below that of any key: who finds it waits. */
const unknownGeneration = 0

export class OlderFiles {
  private readonly parts: Pick<FileParts, "directory" | "disk">
  private known = new Map<string, number>()

  constructor(parts: Pick<FileParts, "directory" | "disk">) {
    this.parts = parts
  }

  /** Those that are not sealed with the newest key. */
  readonly find = Effect.fnUntraced(
    { self: this as OlderFiles },
    function* (this: OlderFiles, keys: KnownKeys): Effect.fn.Return<ReadonlyArray<OlderFile>, DatabaseError> {
      const { directory, disk } = this.parts
      const state = directoryState(yield* Effect.mapError(disk.list(directory), ofDisk))
      const kinds: ReadonlyArray<readonly [FileKind, ReadonlyArray<OwnFile>]> = [
        [FileKind.log, state.logs],
        [FileKind.table, state.tables],
        [FileKind.valueFile, state.valueFiles],
        [FileKind.manifest, state.manifests],
        [FileKind.marker, state.markers]
      ]
      const known = new Map<string, number>()
      const older: Array<OlderFile> = []
      for (const [kind, files] of kinds) {
        for (const file of files) {
          const { name, number } = file
          const keyGeneration = this.known.get(name) ?? (yield* this.generationOf(kind, file, keys))
          if (keyGeneration === undefined) continue
          // One that had no whole header may have it at the next look.
          if (keyGeneration !== unknownGeneration) known.set(name, keyGeneration)
          if (keyGeneration < keys.generation) older.push({ kind, name, number, keyGeneration })
        }
      }
      this.known = known
      return older
    }
  )

  /** `undefined` if it is gone, or sealed with the newest key and has no whole header yet. */
  private generationOf(
    kind: FileKind,
    { bytes, name, number }: OwnFile,
    { numberMin }: KnownKeys
  ): Effect.Effect<number | undefined, DatabaseError> {
    const unknown = number < numberMin ? unknownGeneration : undefined
    if (bytes < fileHeaderBytes) return Effect.succeed(unknown)
    return Effect.map(this.head(name), (head) => {
      if (head === undefined) return undefined
      return headerOf(head, kind)?.keyGeneration ?? unknown
    })
  }

  /** The file's first bytes, if it is still there. */
  private head(name: string): Effect.Effect<Uint8Array | undefined, DatabaseError> {
    const { directory, disk } = this.parts
    return Effect.acquireUseRelease(
      disk.open(disk.join(directory, name)),
      (file) => file.read(0, Math.min(file.size, fileHeaderBytes)),
      (file) => Effect.ignore(file.close)
    ).pipe(Effect.catch((error) => (error.code === "ENOENT" ? Effect.succeed(undefined) : Effect.fail(ofDisk(error)))))
  }
}

const headerOf = (bytes: Uint8Array, kind: FileKind): FileHeader | undefined => {
  try {
    return decodeFileHeader(bytes, kind)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    return undefined
  }
}
