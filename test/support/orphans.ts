// Files in a database's directory that its live state does not name: what unfinished work has left. The state is read
// from the disk, so this asks nothing of the engine.
//
//   named    the newest marker and keyring, the manifest that the marker names, the tables and value files of that, its
//            log from the first segment that is needed; one ballast; while it is open, as many segments as the log has
//            and the one that is prepared, and one lock
//   orphan   everything else, whoever made it; also the value file of a commit that is in no table yet, which the log
//            alone names: flush first
import { assert } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { attachEncryption } from "../../src/internal/engine/attachEncryption.ts"
import { directoryState } from "../../src/internal/engine/directoryState.ts"
import { searchManifest } from "../../src/internal/engine/manifestReader.ts"
import { readWhole, sealerOfHeader } from "../../src/internal/engine/ownFiles.ts"
import { decodeFileHeader, FileKind } from "../../src/internal/format/fileHeader.ts"
import { manifestFileName, parseFileName, tableFileName, valueFileName } from "../../src/internal/format/fileName.ts"
import { decodeMarker } from "../../src/internal/format/marker.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import type { Encryption } from "../../src/services/Encryption.ts"
import type { MaintenanceService } from "../../src/services/Maintenance.ts"

export interface Directory {
  readonly disk: DiskService
  readonly directory: string
  /** What `Maintenance.stats` says of an open one; `undefined` if it is closed. */
  readonly logSegments: number | undefined
  /** Default: none. */
  readonly encryption?: Layer.Layer<Encryption, DatabaseError> | undefined
}

/** Of a database at rest, or whose background work has come to rest. */
export const orphansIn = ({
  directory,
  disk,
  encryption = NoEncryption.layer,
  logSegments
}: Directory): Effect.Effect<ReadonlyArray<string>, DatabaseError> =>
  Effect.gen(function* () {
    const entries = yield* Effect.orDie(disk.list(directory))
    const state = directoryState(entries)
    const place = { disk, directory, readOnly: true }
    const attached = attachEncryption(place, state, () => Effect.void)
    const parts = { ...place, encryption: yield* Effect.provide(attached, encryption) }
    const { loaded, torn } = yield* searchManifest(parts, state)
    assert.deepStrictEqual(torn, [], "the newest marker is torn")
    assert.isDefined(loaded, "no marker is valid")
    const { facts } = loaded!
    const [marker] = state.markers
    const bytes = yield* readWhole(parts, marker!.name)
    const sealer = yield* sealerOfHeader(parts, decodeFileHeader(bytes, FileKind.marker), marker!.name)
    const { manifestNumber } = decodeMarker(bytes, () => sealer)
    const segments = state.logs.filter(({ number }) => number >= facts.logNumberMin)
    const segmentsMax = logSegments === undefined ? segments.length : logSegments + 1
    const named = new Set([
      marker!.name,
      ...state.keyrings.slice(0, 1).map(({ name }) => name),
      manifestFileName(manifestNumber),
      ...facts.tables.map(({ number }) => tableFileName(number)),
      ...facts.valueFiles.map(({ number }) => valueFileName(number)),
      ...segments
        .sort((a, b) => a.number - b.number)
        .slice(-segmentsMax)
        .map(({ name }) => name),
      ...state.ballasts.slice(0, 1).map(({ name }) => name)
    ])
    const locks = entries.filter(({ name }) => parseFileName(name)?.kind === "lock")
    if (logSegments !== undefined && locks.length === 1) named.add(locks[0]!.name)
    return entries.map(({ name }) => name).filter((name) => !named.has(name))
  }).pipe(Effect.scoped)

export const assertNoOrphans = (at: Directory): Effect.Effect<void, DatabaseError> =>
  Effect.map(orphansIn(at), (names) => {
    const when = at.logSegments === undefined ? "after the close" : "while it is open"
    assert.deepStrictEqual(names, [], `files that no state names, ${when}`)
  })

/** Of a simulated database that is open: when its background work has done what there was to do. */
export const noOrphansSettled = Effect.fnUntraced(function* (
  disk: DiskService,
  open: Omit<Directory, "disk" | "logSegments"> & { readonly maintenance: MaintenanceService }
) {
  // Time passes only when nothing else can go on.
  yield* Effect.sleep(1)
  const { logSegments } = yield* open.maintenance.stats
  yield* assertNoOrphans({ disk, directory: open.directory, encryption: open.encryption, logSegments })
})
