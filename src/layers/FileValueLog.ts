/**
 * Value files in the database's directory.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fromDisk } from "../internal/engine/diskErrors.ts"
import { findValueFile } from "../internal/engine/foundValueFile.ts"
import { SharedSync } from "../internal/engine/sharedSync.ts"
import type { ValueParts } from "../internal/engine/valueFile.ts"
import { valueFileHandles } from "../internal/engine/valueFileHandles.ts"
import { createValueFile } from "../internal/engine/valueFileWriter.ts"
import { verifyValueFile } from "../internal/engine/valueVerifier.ts"
import { BlockCache } from "../services/BlockCache.ts"
import { Disk } from "../services/Disk.ts"
import { Manifest } from "../services/Manifest.ts"
import { OpenFiles } from "../services/OpenFiles.ts"
import { Options } from "../services/Options.ts"
import { ValueLog } from "../services/ValueLog.ts"
import * as BoundedOpenFiles from "./BoundedOpenFiles.ts"

/**
 * Value files in the manifest's directory, `value-<number>.val` each, opened when they are first read.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerNoDeps: Layer.Layer<ValueLog, never, Disk | Manifest | BlockCache | OpenFiles> = Layer.effect(
  ValueLog,
  Effect.gen(function* () {
    const manifest = yield* Manifest
    const parts: ValueParts = {
      options: yield* Options,
      disk: yield* Disk,
      manifest,
      encryption: manifest.encryption,
      cache: yield* BlockCache
    }
    const { disk } = parts
    const { directory } = manifest
    const own = { disk, manifest, directory, encryption: parts.encryption, readOnly: parts.options.readOnly }
    const names = new SharedSync(disk.syncDirectory(directory))
    const open = yield* OpenFiles
    const files = valueFileHandles(parts, open)
    yield* Effect.addFinalizer(() => files.close)
    return ValueLog.of({
      attach: (metas) => files.attach(metas),
      handle: (meta) => files.handle(meta),
      remove: (meta) => files.remove(meta),
      create: createValueFile({ ...own, spare: [] }),
      syncNames: fromDisk(names.run),
      find: (number, fileTag) => Effect.map(findValueFile(own, { number, fileTag }), (meta) => files.handle(meta)),
      openFiles: () => open.openCount,
      verify: (meta) => verifyValueFile(parts, meta)
    })
  })
)

/**
 * The same with the files that were used last open, under the one bound of all that is built together: wired beside
 * `FileSsTable.layer`, tables and value files share it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<ValueLog, never, Disk | Manifest | BlockCache> = layerNoDeps.pipe(
  Layer.provide(BoundedOpenFiles.layer)
)
