// Keyring files in a directory: which one is in force, and how one takes the place of another.
//
//   create keyring-(n+1) → append → sync → close → read back → sync directory → remove lower ones → sync directory
//
// The whole keyring with the highest number is in force. One that is not whole was torn by a crash before the directory
// was synced, and until then the one before it was not removed: so it is passed over if there is a lower one that is
// whole. If there is none, that is no crash's work: every keyring was whole before the first file was sealed by it.
//
// The lower ones are removed only when the new one is durable and was read back: they are the one thing that the data
// hangs on and that nothing else could mend. A higher one is never removed: a number is given out above all that are
// there, so it is of a writer that came later. So at any moment, and after a power cut at any moment, the old keyring
// is there or the new one, or both, and then the new one counts.
//
// A keyring that was found beside others may have been found in the memory of a system that forgets it at the next
// power cut: a writer died amid a change. Whoever seals by it must write it anew first (`DataKeys.persist`). One that
// is alone is durable.
//
// One under the name of another number counts as not whole: bytes of a removed file may turn up in one that was torn,
// and whoever puts an old keyring back, to count as the newest, gains nothing. Nor does who puts it back instead of the
// newest: the manifest records the number of the keyring that stood alone, sealed with a data key. One of a lower
// number is `Tampered` (`checkKeyringNumber`); one of a higher number is that of a writer that died before it told the
// manifest. What is not whole and has none before it is `Tampered`, and so is what is whole and wrong.
import * as Effect from "effect/Effect"
import { type DatabaseError, fail, Stale, Tampered } from "../../services/DatabaseError.ts"
import type { DiskError, DiskService } from "../../services/Disk.ts"
import { keyringFileName, parseFileName } from "../format/fileName.ts"
import { FormatError } from "../format/formatError.ts"
import { keyringBytesMax, readKeyring, type WholeKeyring } from "../format/keyring.ts"
import { fromDisk, ofDisk, ofFormat } from "./diskErrors.ts"
import { directoryState } from "./directoryState.ts"

export interface KeyringPlace {
  readonly disk: DiskService
  readonly directory: string
  readonly readOnly: boolean
}

export interface FoundKeyring {
  readonly number: number
  readonly file: string
  readonly ring: WholeKeyring
}

/** The keyring in force, of those with these numbers, the highest first. */
export const findKeyring = Effect.fnUntraced(function* (place: KeyringPlace, numbers: ReadonlyArray<number>) {
  const torn: Array<string> = []
  for (const number of numbers) {
    const file = place.disk.join(place.directory, keyringFileName(number))
    const ring = yield* readWhole(place, file)
    if (typeof ring === "string") torn.push(`${file}: ${ring}`)
    else if (ring.header.fileNumber === number) return { number, file, ring } satisfies FoundKeyring
    else torn.push(`${file}: it says that it is number ${ring.header.fileNumber}`)
  }
  const [newest] = numbers
  if (newest === undefined) return yield* tamperedWith(place.directory, "the database is encrypted and has no keyring")
  const file = place.disk.join(place.directory, keyringFileName(newest))
  return yield* tamperedWith(file, `no keyring is whole (${torn.join("; ")})`)
})

/** The keyring in force, of those that are in the directory now. */
export const keyringInForce = Effect.fnUntraced(function* (place: KeyringPlace) {
  const { keyrings } = directoryState(yield* fromDisk(place.disk.list(place.directory)))
  const found = yield* findKeyring(
    place,
    keyrings.map(({ number }) => number)
  )
  return { ...found, bytes: found.ring.covered.length + found.ring.mac.length + 4 }
})

/** The keyring, or why it is not whole. */
const readWhole = (place: KeyringPlace, file: string): Effect.Effect<WholeKeyring | string, DatabaseError> =>
  Effect.flatMap(
    Effect.mapError(readBytes(place.disk, file), (error) =>
      place.readOnly && error.code === "ENOENT"
        ? fail(new Stale({ message: `${file} was removed by a later writer; open the database again`, file }))
        : ofDisk(error)
    ),
    (bytes): Effect.Effect<WholeKeyring | string, DatabaseError> => {
      if (bytes === undefined) return Effect.succeed("too many bytes for a keyring")
      try {
        return Effect.succeed(readKeyring(bytes))
      } catch (error) {
        if (!(error instanceof FormatError)) throw error
        return error.tampered || error.unsupported ? Effect.fail(ofFormat(error, file)) : Effect.succeed(error.message)
      }
    }
  )

/** All of the file; `undefined` if it is larger than any keyring. */
const readBytes = (disk: DiskService, file: string): Effect.Effect<Uint8Array | undefined, DiskError> =>
  Effect.acquireUseRelease(
    disk.open(file),
    (open) => (open.size > keyringBytesMax ? Effect.succeed(undefined) : open.read(0, open.size)),
    (open) => Effect.ignore(open.close)
  )

const tamperedWith = (file: string, what: string): DatabaseError =>
  fail(new Tampered({ message: `${file}: ${what}; restore a backup`, file, offset: 0 }))

/**
 * The keyring is durable when it returns, and beside any others. If it fails, either may be what a power cut leaves; a
 * failed sync poisons nothing, for the next attempt is another file. Not interruptible.
 */
export const writeKeyring = Effect.fnUntraced(function* (
  { directory, disk }: KeyringPlace,
  number: number,
  bytes: Uint8Array
) {
  const path = disk.join(directory, keyringFileName(number))
  const file = yield* fromDisk(disk.create(path))
  const written = fromDisk(file.append([bytes])).pipe(
    Effect.andThen(fromDisk(Effect.andThen(file.sync, file.close))),
    Effect.andThen(Effect.flatMap(fromDisk(readBytes(disk, path)), (found) => sameOrFail(path, bytes, found))),
    Effect.andThen(fromDisk(disk.syncDirectory(directory)))
  )
  // It is nobody's yet, and without it the one before counts.
  yield* Effect.tapError(written, () => Effect.andThen(Effect.ignore(file.close), Effect.ignore(disk.remove(path))))
}, Effect.uninterruptible)

const sameOrFail = (file: string, written: Uint8Array, found: Uint8Array | undefined) => {
  const same = found?.length === written.length && found.every((byte, index) => byte === written[index])
  return same ? Effect.void : Effect.fail(tamperedWith(file, "the keyring is not what was written a moment ago"))
}

/** No keyring of a lower number is there when it returns, for good. */
export const removeOlderKeyrings = Effect.fnUntraced(function* ({ directory, disk }: KeyringPlace, number: number) {
  const entries = yield* fromDisk(disk.list(directory))
  const older = entries.map(({ name }) => name).filter((name) => isOlder(name, number))
  for (const name of older) {
    yield* fromDisk(Effect.catchIf(disk.remove(disk.join(directory, name)), isGone, () => Effect.void))
  }
  if (older.length > 0) yield* fromDisk(disk.syncDirectory(directory))
}, Effect.uninterruptible)

const isGone = ({ code }: DiskError): boolean => code === "ENOENT"

const isOlder = (name: string, number: number): boolean => {
  const parsed = parseFileName(name)
  return parsed?.kind === "keyring" && parsed.number < number
}
