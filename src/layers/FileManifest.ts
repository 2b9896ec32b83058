/**
 * The manifest as a file of edits, named by a marker file.
 *
 * A directory holds, for a database at rest, one marker (`current-<n>.mark`), the manifest that it names
 * (`manifest-<n>.man`), and the tables and log segments that the manifest names. The bytes are specified in
 * `internal/format/marker.ts`, `manifestFrame.ts` and `manifestEdit.ts`; the order of steps, and what a crash leaves at
 * each, in `internal/engine/manifestWriter.ts` and `manifestReader.ts`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { writeCopy } from "../internal/engine/checkpoint.ts"
import { attachEncryption } from "../internal/engine/attachEncryption.ts"
import {
  checkCodecs,
  codecRowsOf,
  compressionFor,
  compressionOf,
  withKnownCodecs
} from "../internal/engine/compression.ts"
import { checkKeyringNumber } from "../internal/engine/keyringNumber.ts"
import { checkCreation, openDirectory } from "../internal/engine/openDirectory.ts"
import { reasonsOf, searchManifest, type TornMarker } from "../internal/engine/manifestReader.ts"
import { ManifestWriter } from "../internal/engine/manifestWriter.ts"
import { OlderFiles } from "../internal/engine/olderFiles.ts"
import { randomBytes } from "../internal/engine/randomId.ts"
import { epochIdBytes } from "../internal/format/manifestEdit.ts"
import { noFacts } from "../internal/structure/manifestState.ts"
import { Compression } from "../services/Compression.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"
import { Directory } from "../services/Directory.ts"
import { Disk } from "../services/Disk.ts"
import type { Encryption } from "../services/Encryption.ts"
import { Manifest } from "../services/Manifest.ts"
import { Options } from "../services/Options.ts"

/**
 * Locks the directory, or with `readOnly` sees that nobody writes, and reads the current manifest.
 *
 * **Details**
 *
 * Fails with `Invalid` where there is no database and none may be created, `Locked`, `Corruption`, `Unsupported` for
 * files of a newer version or a codec that is not provided, `Io` where the directory cannot be read or written, and as
 * `Encryption` says where the key is not the one that is needed. A failed build has changed nothing, but may have made
 * the empty directory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Manifest, DatabaseError, Directory | Disk | Encryption> = Layer.effect(
  Manifest,
  Effect.gen(function* () {
    const { path: directory } = yield* Directory
    const { create, manifestBytesMax, readOnly } = yield* Options
    const provided = yield* compressionOf(yield* Compression)
    const place = { disk: yield* Disk, directory, readOnly }
    const { parents, state } = yield* openDirectory({ ...place, create })
    const mayCreate = (torn: ReadonlyArray<TornMarker>) => checkCreation({ ...place, create }, state, torn)
    const encryption = withKnownCodecs(yield* attachEncryption(place, state, mayCreate), provided.known)
    const parts = { ...place, encryption, manifestBytesMax }
    const { loaded, torn } = yield* searchManifest(parts, state)
    if (loaded === undefined) yield* mayCreate(torn)
    else if (torn.length > 0) yield* Effect.logInfo(`Strata: passed over unfinished markers: ${reasonsOf(torn)}`)
    if (loaded !== undefined) {
      yield* checkKeyringNumber(parts, loaded.facts.keyringNumber)
      yield* checkCodecs(provided, loaded.facts.codecs, directory)
    }
    const compression = compressionFor(loaded?.facts.tables ?? [], provided)
    const ids = {
      databaseId: loaded?.databaseId ?? parts.encryption.databaseId ?? (yield* randomBytes(16)),
      incarnation: loaded?.incarnation ?? (yield* randomBytes(16))
    }
    const writer = new ManifestWriter({
      parts,
      ids,
      facts: loaded?.facts ?? { ...noFacts, encryptionName: parts.encryption.name },
      epochIdNext: encryption.newFileId(yield* Random.Random).slice(0, epochIdBytes),
      codecs: codecRowsOf(compression),
      directory: state,
      parents,
      bytesRead: loaded?.bytes ?? 0
    })
    const older = new OlderFiles(parts)
    yield* Effect.addFinalizer(() => writer.close)
    return Manifest.of({
      directory,
      exists: loaded !== undefined,
      encryption,
      compression,
      state: () => ({ ...ids, ...writer.facts }),
      epochNext: writer.epochNext,
      epochIdNext: writer.epochIdNext,
      allocateFileNumber: () => writer.allocate(),
      begin: (change) => writer.begin(change),
      publish: (change) => writer.publish(change),
      removeOrphans: (keep) => writer.removeOrphans(keep),
      copyTo: (to, copy) =>
        Effect.suspend(() => {
          const source = {
            ...parts,
            databaseId: ids.databaseId,
            facts: writer.facts,
            allocate: () => writer.allocate(),
            inTurn: (effect: Effect.Effect<void, DatabaseError>) => writer.copy(effect)
          }
          return writeCopy(source, { ...copy, directory: to })
        }),
      changeKeys: (change) => writer.changeKeys(change),
      rewrite: writer.rewrite,
      olderFiles: (numberMin) => older.find({ generation: parts.encryption.keyGeneration(), numberMin }),
      ifSound: (effect) => writer.ifSound(effect),
      bytes: () => writer.bytes(),
      bytesWritten: () => writer.bytesWritten()
    })
  })
)
