// A checkpoint: the database as it is at one moment, as a database of its own in another directory.
//
//   flush → hold the live tables → make the directory, lock it → link each file → link the keyring → the whole state,
//   and last its marker (stateFiles.ts) → unlock
//
// The moment is the one at which the tables are taken, in one step. Each table holds all of the commits of its
// memtables, and memtables follow each other, so the tables hold every commit up to a sequence and none after it. The
// state says so as a clean shutdown does: there is no log, and sequences go on from there.
//
// Without its marker the directory is no database. When anything fails, what was made is removed again; the marker
// first, and for good, before anything that it needs. So at any moment, and after a power cut at any moment, there is
// the whole checkpoint or none. The database itself is only read: a table is linked, or copied where there are no
// links, and a table's file is never written to again, whichever of its names is removed.
//
// The copy has the database id of its source and an incarnation of its own, as a restored backup has: from here on both
// give the same sequences to different commits. What says an incarnation, and who compares it:
//
//   manifest, marker   both are new; they must name the same one (manifestReader.ts)
//   log segments       must have the manifest's (logReplay.ts): one of the source, brought here, is refused
//   tables             have that of the database that wrote them, and it is compared with nothing. A table is known by
//                      its number, its epoch and 32 random bytes, which header and manifest both have, besides the
//                      database id, its size and its footer's checksum (tableFacts.ts). A block is sealed for the
//                      header of its own file, so it opens wherever that file is
//
// LSNs begin anew with the incarnation, so nothing is known to be durable of them.
import * as Effect from "effect/Effect"
import { Corruption, type DatabaseError, fail } from "../../services/DatabaseError.ts"
import type { DiskService } from "../../services/Disk.ts"
import type { Checkpoint } from "../../services/Maintenance.ts"
import type { ManifestService, TableMeta, ValueFileMeta } from "../../services/Manifest.ts"
import type { OracleService } from "../../services/Oracle.ts"
import { CommitReader } from "../format/commit.ts"
import { keyringFileName, markerFileName, tableFileName, valueFileName } from "../format/fileName.ts"
import { assert } from "../format/formatError.ts"
import type { ManifestFacts } from "../structure/manifestState.ts"
import { fromDisk, ofDisk } from "./diskErrors.ts"
import { openEmptyDirectory } from "./openDirectory.ts"
import type { FileParts } from "./ownFiles.ts"
import { randomBytes } from "./randomId.ts"
import { writeState } from "./stateFiles.ts"
import type { LiveView, View } from "./view.ts"

export interface CheckpointParts {
  readonly live: LiveView
  readonly oracle: OracleService
  readonly manifest: ManifestService
  readonly flush: Effect.Effect<void, DatabaseError>
}

/** Everything acknowledged before the call is in it. */
export const checkpoint = Effect.fn("Database.checkpoint")(function* (
  { flush, live, manifest, oracle }: CheckpointParts,
  directory: string
): Effect.fn.Return<Checkpoint, DatabaseError> {
  yield* flush
  return yield* Effect.acquireUseRelease(
    Effect.sync(() => hold(live, oracle)),
    ({ lastSequence, tables, valueFiles }) =>
      Effect.as(manifest.copyTo(directory, { tables, valueFiles, lastSequence }), {
        directory,
        sequence: lastSequence,
        tables: tables.length,
        valueFiles: valueFiles.length,
        bytes: [...tables, ...valueFiles].reduce((sum, { bytes }) => sum + bytes, 0)
      }),
    ({ release }) => Effect.sync(release)
  )
})

/** The live tables and the value files that they name, all of which stay until they are released. */
const hold = (live: LiveView, oracle: OracleService) => {
  const lastSequence = lastSequenceInTables(live.current, oracle.visible())
  const pinned = live.pinTables()
  const tables = pinned.tables.map(({ meta }) => meta)
  assert(
    tables.every(({ sequenceMax }) => sequenceMax <= lastSequence),
    "tables hold the commits before those of the memtables"
  )
  const ids = new Set(tables.flatMap(({ valueRefs }) => valueRefs.map(({ file }) => file)))
  const files = pinned.valueFiles.map(({ meta }) => meta)
  const valueFiles = files.filter(({ sections }) => sections.some(({ id }) => ids.has(id)))
  return { tables, valueFiles, lastSequence, release: pinned.release }
}

/** Every visible commit up to this one is in the view's tables, and no later one. */
const lastSequenceInTables = ({ slots }: View, visible: number): number => {
  for (const { memtable } of [...slots].reverse()) {
    const { bytes, used } = memtable.arena
    if (used === 0) continue
    const reader = new CommitReader(bytes.subarray(0, used))
    reader.next()
    return Math.min(visible, reader.sequence - 1)
  }
  return visible
}

/** The database that is copied. */
export interface CopySource extends FileParts {
  readonly databaseId: Uint8Array
  readonly facts: ManifestFacts
  /** A file number that nothing has. */
  readonly allocate: () => number
  /** While this runs, keys and state stay as they are. */
  readonly inTurn: (effect: Effect.Effect<void, DatabaseError>) => Effect.Effect<void, DatabaseError>
}

export interface Copy {
  readonly directory: string
  readonly tables: ReadonlyArray<TableMeta>
  readonly valueFiles: ReadonlyArray<ValueFileMeta>
  readonly lastSequence: number
}

/** Makes a database of the tables. The directory must be absent or empty. */
export const writeCopy = Effect.fnUntraced(function* (source: CopySource, copy: Copy) {
  const { directory } = copy
  const made: Array<string> = []
  const disk = remembering(source.disk, made)
  const target: FileParts = { disk, encryption: source.encryption, directory, readOnly: false }
  const { parents } = yield* openEmptyDirectory(target)
  const manifestNumber = source.allocate()
  const markerNumber = source.allocate()
  const write = Effect.gen(function* () {
    yield* linkFiles(source, target, filesOf(copy))
    const ids = { databaseId: source.databaseId, incarnation: yield* randomBytes(16) }
    const facts = factsOf(source.facts, copy, markerNumber + 1)
    const state = { ids, facts, manifestNumber, markerNumber, parents }
    // Nothing is discarded singly: what failed is removed in its order, below.
    const rules = { unsure: ofDisk, discards: () => false }
    const written = Effect.flatMap(writeState(target, state, rules), ({ file }) => fromDisk(file.close))
    // The manifest is sealed with a key of that keyring.
    yield* source.inTurn(Effect.uninterruptible(Effect.andThen(linkKeyring(source, target), written)))
  })
  const marker = disk.join(directory, markerFileName(markerNumber))
  yield* Effect.onExit(write, (exit) => (exit._tag === "Success" ? Effect.void : removeMade(target, made, marker)))
}, Effect.scoped)

const factsOf = (source: ManifestFacts, copy: Copy, fileNumberNext: number): ManifestFacts => ({
  ...source,
  tables: copy.tables,
  valueFiles: copy.valueFiles,
  fileNumberNext,
  logNumberMin: 0,
  lsnDurable: 0,
  cleanShutdown: { lastLsn: 0, lastSequence: copy.lastSequence }
})

/** The disk, noting the files that it makes. */
const remembering = (disk: DiskService, made: Array<string>): DiskService => ({
  ...disk,
  create: (path) => Effect.uninterruptible(Effect.tap(disk.create(path), () => Effect.sync(() => made.push(path)))),
  linkNew: (from, to) =>
    Effect.uninterruptible(Effect.tap(disk.linkNew(from, to), () => Effect.sync(() => made.push(to))))
})

interface CopiedFile {
  readonly name: string
  readonly bytes: number
}

const filesOf = ({ tables, valueFiles }: Copy): ReadonlyArray<CopiedFile> => [
  ...tables.map(({ bytes, number }) => ({ name: tableFileName(number), bytes })),
  ...valueFiles.map(({ bytes, number }) => ({ name: valueFileName(number), bytes }))
]

const linkFiles = Effect.fnUntraced(function* (
  source: FileParts,
  { directory, disk }: FileParts,
  files: ReadonlyArray<CopiedFile>
) {
  for (const { name } of files) {
    yield* fromDisk(disk.linkNew(disk.join(source.directory, name), disk.join(directory, name)))
  }
  const entries = yield* fromDisk(disk.list(directory))
  const found = new Map(entries.map(({ bytes, name }) => [name, bytes]))
  for (const { bytes: due, name } of files) {
    const bytes = found.get(name) ?? 0
    if (bytes === due) continue
    const file = disk.join(source.directory, name)
    const message = `${file}: the file has ${bytes} bytes, the manifest says ${due}`
    return yield* fail(new Corruption({ message, file, offset: Math.min(bytes, due) }))
  }
})

/** The keyring in force: the copy has the same keys, until one of the two changes its own. */
const linkKeyring = (source: FileParts, { directory, disk }: FileParts): Effect.Effect<void, DatabaseError> =>
  // Which one that is, is known when it is its turn: a rotation may come before it.
  Effect.suspend(() => {
    const { keys } = source.encryption
    if (keys === undefined) return Effect.void
    const name = keyringFileName(keys.facts().ringNumber)
    return fromDisk(disk.linkNew(disk.join(source.directory, name), disk.join(directory, name)))
  })

/** As far as the disk allows, and nothing that the marker needs while it may be there after a power cut. */
const removeMade = ({ directory, disk }: FileParts, made: ReadonlyArray<string>, marker: string) =>
  Effect.ignore(
    Effect.gen(function* () {
      if (made.includes(marker)) {
        yield* disk.remove(marker)
        yield* disk.syncDirectory(directory)
      }
      for (const path of made) if (path !== marker) yield* Effect.ignore(disk.remove(path))
      yield* disk.syncDirectory(directory)
    })
  )
