/**
 * A codec of your own.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { compressionLayer, levelsOf } from "../internal/engine/compressionLayer.ts"
import { userCodecIdMax, userCodecIdMin } from "../internal/format/codec.ts"
import { nameBytesMax } from "../internal/format/manifestEdit.ts"
import type { Codec, CompressionLevels, KnownCodec } from "../services/Compression.ts"
import { type DatabaseError, invalid } from "../services/DatabaseError.ts"
import { ofModule } from "./NodeCodecs.ts"

/**
 * A codec in a module, which exports `compress` and `decompress`. Worker threads load it, too.
 *
 * @since 0.1.0
 * @category models
 */
export interface CodecModule {
  /** From 64 to 255. */
  readonly id: number
  readonly name: string
  /** A URL, as `import.meta.resolve("./codec.js")` gives it. */
  readonly module: string | URL
}

const encoder = new TextEncoder()

const problemOf = ({ id, name }: { readonly id: number; readonly name: string }): string | undefined => {
  if (!Number.isInteger(id) || id < userCodecIdMin || id > userCodecIdMax) {
    return `codec "${name}": its id is from ${userCodecIdMin} to ${userCodecIdMax}, not ${id}`
  }
  const isNamed = name.length > 0 && name.isWellFormed() && encoder.encode(name).length <= nameBytesMax
  return isNamed ? undefined : `codec ${id}: its name has from 1 to ${nameBytesMax} bytes`
}

const known = (codec: Codec | CodecModule): Effect.Effect<KnownCodec, DatabaseError> =>
  Effect.suspend(() => {
    const problem = problemOf(codec)
    if (problem !== undefined) return Effect.fail(invalid(problem))
    const { id, name } = codec
    if ("module" in codec) {
      const url = String(codec.module)
      if (URL.canParse(url)) return ofModule({ id, name, url })
      return Effect.fail(invalid(`codec "${name}": its module is a URL, as import.meta.resolve gives it, not ${url}`))
    }
    const { compress, decompress } = codec
    return Effect.succeed<KnownCodec>({ id, name, compress, decompress, origin: undefined })
  })

/**
 * Tables of the bottom level by this codec, all else as it is.
 *
 * **Details**
 *
 * A codec is a module, or two functions: with functions, flushes and compactions run on this thread, in slices. Several
 * one after the other are a codec, too, with an id and a name of its own. Both stand in the manifest: from then on the
 * database opens only where that codec is provided, also if it compresses nothing more.
 *
 * **Gotchas**
 *
 * What `compress` makes must be what `decompress` reads for as long as there are files of it: a new format is a new id.
 * What does not come back when it is written, or for which `compress` throws, is stored as it is. Both functions may
 * return memory that their next call uses again: it is copied before.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (codec: Codec | CodecModule): Layer.Layer<never, DatabaseError> =>
  compressionLayer(known(codec), levelsOf(codec.name))

/**
 * The same with other levels. With the codec at none of them, what was written by it before can still be read.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (
  codec: Codec | CodecModule,
  levels: Partial<CompressionLevels>
): Layer.Layer<never, DatabaseError> => compressionLayer(known(codec), levelsOf(codec.name, levels))
