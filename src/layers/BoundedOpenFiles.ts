/**
 * Open files by the options' bounds, given up as a clock tells.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Files from "../internal/engine/openFiles.ts"
import { BlockCache } from "../services/BlockCache.ts"
import { Disk } from "../services/Disk.ts"
import { OpenFiles } from "../services/OpenFiles.ts"
import { Options } from "../services/Options.ts"

/** What indexes and filters may take of the cache. Blocks have the rest, and what these leave. */
const partsShare = 0.75
/** What they may take in any case: enough for the small files of a small database. */
const partsBytesMin = 64 * 1024

/**
 * At most `openFilesMax` files of tables and value files together; their indexes and filters take at most three
 * quarters of the cache, or 64 KiB of a smaller one.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<OpenFiles, never, Disk | BlockCache> = Layer.effect(
  OpenFiles,
  Effect.gen(function* () {
    const { cacheBytes, openFilesMax } = yield* Options
    return new Files.OpenFiles({
      disk: yield* Disk,
      cache: yield* BlockCache,
      filesMax: openFilesMax,
      bytesMax: Math.max(partsBytesMin, Math.floor(cacheBytes * partsShare))
    })
  })
)
