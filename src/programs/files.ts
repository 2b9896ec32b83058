// The files of a directory tree: regular files in a fixed order (a directory's files by name, then its directories by
// name), one directory's names in memory at a time. Symbolic links are named and not followed, so a tree is finite;
// sockets, pipes and devices are passed over likewise. And a long file in pieces, so that it is nowhere whole.
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type * as PlatformError from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { type CommandFailed, onFile } from "./failure.ts"

export interface Found {
  /** From the root, with `/`. */
  readonly path: string
  readonly type: "file" | "link" | "other"
}

export interface Tree {
  readonly root: string
  /** Directories to leave out, by their path from the root. */
  readonly except?: (path: string) => boolean
}

// At most this many files are looked at at once: enough to keep Node's four file threads busy.
const concurrency = 8

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0

/** Every file that is not a directory. */
export const walk = ({ except, root }: Tree): Stream.Stream<Found, CommandFailed, FileSystem.FileSystem | Path.Path> =>
  Stream.paginate(
    // Directories still to read, the next one last.
    [""],
    Effect.fnUntraced(function* (directories: ReadonlyArray<string>) {
      const files = yield* FileSystem.FileSystem
      const paths = yield* Path.Path
      const at = directories.at(-1)!
      const prefix = at === "" ? "" : `${at}/`
      const directory = paths.join(root, at)
      const entries = [...(yield* onFile(directory)(files.readDirectoryEntries(directory)))].sort(byName)
      const found: Array<Found> = []
      const inside: Array<string> = []
      for (const { name, type } of entries) {
        const path = `${prefix}${name}`
        if (type !== "Directory") {
          found.push({ path, type: type === "File" ? "file" : type === "SymbolicLink" ? "link" : "other" })
        } else if (except?.(path) !== true) {
          inside.push(path)
        }
      }
      const next = [...directories.slice(0, -1), ...inside.reverse()]
      return [found, next.length === 0 ? Option.none() : Option.some(next)] as const
    })
  )

/** How large the file is, without following a link. */
export const bytesOf = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  return Number((yield* files.lstat(path)).size)
})

/** Of a file that is read piece by piece: what the database writes of a value at a time. */
export const pieceBytes = 256 * 1024

/**
 * The file's bytes in pieces. All of them are one buffer: a piece is good until the next one is asked for. New buffers
 * would be garbage at the speed of the disk, which the collector sees late.
 */
export const pieces = (path: string): Stream.Stream<Uint8Array, PlatformError.PlatformError, FileSystem.FileSystem> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const file = yield* files.open(path)
      const buffer = new Uint8Array(pieceBytes)
      const next = Effect.flatMap(file.read(buffer), (bytes) =>
        bytes === 0 ? Cause.done() : Effect.succeed([buffer.subarray(0, bytes)] as const)
      )
      return Stream.fromPull(Effect.succeed(next))
    })
  )

/** The sum of the regular files' bytes. Those that cannot be looked at count nothing. */
export const bytesIn = (tree: Tree): Effect.Effect<number, CommandFailed, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const paths = yield* Path.Path
    return yield* walk(tree).pipe(
      Stream.filter(({ type }) => type === "file"),
      Stream.mapEffect(({ path }) => Effect.orElseSucceed(bytesOf(paths.join(tree.root, path)), () => 0), {
        concurrency
      }),
      Stream.runFold(
        () => 0,
        (sum, bytes) => sum + bytes
      )
    )
  })
