/**
 * Tables as files in the database's directory.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { TableParts } from "../internal/engine/tableFile.ts"
import { LentMemory } from "../internal/engine/lentMemory.ts"
import { tableHandles } from "../internal/engine/tableHandles.ts"
import { verifyTable } from "../internal/engine/tableVerifier.ts"
import { BlockCache } from "../services/BlockCache.ts"
import { Disk } from "../services/Disk.ts"
import { Manifest } from "../services/Manifest.ts"
import { OpenFiles } from "../services/OpenFiles.ts"
import { Options } from "../services/Options.ts"
import { SsTable } from "../services/SsTable.ts"
import * as BoundedOpenFiles from "./BoundedOpenFiles.ts"

/**
 * Tables in the manifest's directory, `table-<number>.sst` each, opened when they are first read.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerNoDeps: Layer.Layer<SsTable, never, Disk | Manifest | BlockCache | OpenFiles> = Layer.effect(
  SsTable,
  Effect.gen(function* () {
    const manifest = yield* Manifest
    const parts: TableParts = {
      options: yield* Options,
      disk: yield* Disk,
      manifest,
      encryption: manifest.encryption,
      cache: yield* BlockCache,
      lent: new LentMemory()
    }
    const files = yield* OpenFiles
    const tables = tableHandles(parts, files)
    yield* Effect.addFinalizer(() => tables.close)
    return SsTable.of({
      attach: (metas) => tables.attach(metas),
      handle: (meta) => tables.handle(meta),
      remove: (meta) => tables.remove(meta),
      openFiles: () => files.openCount,
      verify: (meta, check) => verifyTable(parts, meta, check)
    })
  })
)

/**
 * The same with the files that were used last open, under the one bound of all that is built together.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<SsTable, never, Disk | Manifest | BlockCache> = layerNoDeps.pipe(
  Layer.provide(BoundedOpenFiles.layer)
)
