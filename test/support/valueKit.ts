// What tests of value files share: options with which values of a few bytes go to files, and words for those files.
import { Effect, type Scope, Stream } from "effect"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type { Reader } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { directory, type Opened, smallOptions } from "./opened.ts"
import { simulate, using } from "./scenario.ts"

/** Values of 17 bytes go to files at a flush, those of 64 before their commit, and a file holds a few of a hundred. */
export const tinyValues = {
  valueThreshold: 16,
  directValueBytesMin: 64,
  valueFileBytesMax: 1024
}

/** Nothing is direct: every long value is in the log first. */
export const separatedValues = { ...tinyValues, directValueBytesMin: 1024 }

/** A small database with such values; those longer than a memtable are ordinary. */
export const valueOptions: OptionsInput = { ...smallOptions, valueBytesMax: 256 * 1024, ...tinyValues }

export const separatedOptions: OptionsInput = { ...valueOptions, ...separatedValues }

export const withValues = (given: Partial<typeof tinyValues>, options: OptionsInput = valueOptions): OptionsInput => ({
  ...options,
  ...given
})

const filesOf = (device: SimDisk.SimDisk) => {
  try {
    return device.files.list(directory)
  } catch {
    return []
  }
}

/** The names of the value files that are there. */
export const valueFilesOf = (device: SimDisk.SimDisk): ReadonlyArray<string> =>
  filesOf(device).flatMap(({ name }) => (name.startsWith("value-") ? [name] : []))

/** What they take together. */
export const valueFileBytes = (device: SimDisk.SimDisk): number =>
  filesOf(device).reduce((sum, { bytes, name }) => (name.startsWith("value-") ? sum + bytes : sum), 0)

type Body = (opened: Opened, device: SimDisk.SimDisk) => Effect.Effect<void, DatabaseError, Scope.Scope>

/** A test of one database on a simulated disk. */
export const onValues =
  (body: Body, options: OptionsInput = separatedOptions): (() => void) =>
  () => {
    const device = SimDisk.make()
    simulate(using(device, (opened) => body(opened, device), options))
  }

/** A value that tells which it is, as long as wanted. */
export const longValue = (name: string, bytes: number): string => `${name} `.padEnd(bytes, `${name}.`).slice(0, bytes)

/** The bytes in pieces of the lengths, by turns. */
export const piecesOf = (bytes: Uint8Array, lengths: ReadonlyArray<number>): Stream.Stream<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length]!
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return Stream.fromIterable(pieces)
}

/** All that a stream of pieces holds. */
export const joinedPieces = <E>(stream: Stream.Stream<Uint8Array, E>): Effect.Effect<Uint8Array, E> =>
  Effect.map(Stream.runCollect(stream), (pieces) => new Uint8Array(Buffer.concat(Array.from(pieces))))

/** What `getStream` answers with; `undefined` if there is none. */
export const streamed = (
  reader: Reader,
  key: string | Uint8Array
): Effect.Effect<Uint8Array | undefined, DatabaseError> =>
  Effect.scoped(
    Effect.flatMap(reader.getStream(key), (pieces) =>
      pieces === undefined ? Effect.succeed(undefined) : joinedPieces(pieces)
    )
  )
