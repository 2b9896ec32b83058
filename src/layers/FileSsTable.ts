/**
 * Tables as files in the database's directory.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { TableParts } from "../internal/engine/tableFile.ts"
import { TableHandles } from "../internal/engine/tableHandles.ts"
import { verifyTable } from "../internal/engine/tableVerifier.ts"
import { BlockCache } from "../services/BlockCache.ts"
import { Disk } from "../services/Disk.ts"
import { Encryption } from "../services/Encryption.ts"
import { Manifest } from "../services/Manifest.ts"
import { Options } from "../services/Options.ts"
import { SsTable } from "../services/SsTable.ts"

/**
 * Tables in the manifest's directory, `table-<number>.sst` each, opened when they are first read. The files of the
 * tables that were used last stay open, at most `openFilesMax`; indexes and filters take at most three quarters of the
 * cache, or 64 KiB of a smaller one.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<SsTable, never, Disk | Manifest | Encryption | BlockCache> = Layer.effect(
  SsTable,
  Effect.gen(function* () {
    const parts: TableParts = {
      options: yield* Options,
      disk: yield* Disk,
      manifest: yield* Manifest,
      encryption: yield* Encryption,
      cache: yield* BlockCache
    }
    const tables = new TableHandles(parts)
    yield* Effect.addFinalizer(() => tables.close)
    return SsTable.of({
      attach: (metas) => tables.attach(metas),
      handle: (meta) => tables.handle(meta),
      remove: (meta) => tables.remove(meta),
      openFiles: () => tables.openFiles,
      verify: (meta) => verifyTable(parts, meta)
    })
  })
)
