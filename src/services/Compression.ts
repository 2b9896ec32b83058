/**
 * How the blocks of files are made shorter.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * What compresses. Which codec a block has stands in the block, so a database can have several, one after the other and
 * beside each other.
 *
 * @since 0.1.0
 * @category models
 */
export interface Codec {
  /** In every block: 0 is none, 1 zstd, 2 lz4, 3 snappy; users have those from 64 to 255. Never given to another. */
  readonly id: number
  /** In the manifest: a database opens only where its codecs are known by these names. */
  readonly name: string
  /**
   * Leaves `plain` as it is. What it returns is copied before the codec is called again, so it may be memory of the
   * codec's, as of WebAssembly. What it throws for is stored as it is.
   */
  readonly compress: (plain: Uint8Array) => Uint8Array
  /**
   * As many bytes as `plainLength`, which are copied likewise. It throws for a body that `compress` did not make, and
   * leaves the body as it is.
   */
  readonly decompress: (body: Uint8Array, plainLength: number) => Uint8Array
}

/**
 * Where a thread finds a codec: in a package that Strata knows, or in a module of the user's.
 *
 * @since 0.1.0
 * @category models
 */
export type CodecOrigin =
  | { readonly _tag: "Package"; readonly codec: "lz4" | "snappy"; readonly url: string }
  | { readonly _tag: "Module"; readonly url: string }

/**
 * A codec that a database can read and write. Without an origin it is known to one thread only, and every job runs
 * there.
 *
 * @since 0.1.0
 * @category models
 */
export interface KnownCodec extends Codec {
  readonly origin: CodecOrigin | undefined
}

/**
 * What new files are compressed with, each by the name of a codec, or `none`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CompressionLevels {
  /** Tables above the bottom level, which are soon written again. Default `none`. */
  readonly upper: string
  /** Tables of the bottom level, where most of the data is. Their blocks are longer, too. */
  readonly bottom: string
  /** Values in value files. Default `none`. */
  readonly values: string
}

/**
 * The levels, and the codecs beside `none` and `zstd`, which are always known.
 *
 * @since 0.1.0
 * @category models
 */
export interface CompressionShape extends CompressionLevels {
  /**
   * Of a database that has tables, the bottom level stays as its newest table there is, whatever `bottom` says, and no
   * table is written again because of its codec: for tools that open databases of others. Default false.
   */
  readonly asFound?: boolean
  readonly known: ReadonlyArray<KnownCodec>
}

/**
 * Without a layer: tables of the bottom level by zstd, all else as it is.
 *
 * @since 0.1.0
 * @category services
 */
export const Compression = Context.Reference<CompressionShape>("strata/Compression", {
  defaultValue: () => ({ upper: "none", bottom: "zstd", values: "none", known: [] })
})

/**
 * The compression of one open database: ids of codecs.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileCompression {
  /** No table is written again because of its codec. */
  readonly asFound?: boolean
  readonly upper: number
  readonly bottom: number
  readonly values: number
  readonly known: ReadonlyArray<KnownCodec>
}
