// How the plain bytes of a block are made shorter. Which codec a block has stands in the block (storedBlock.ts), so a
// file, and a database over its life, can have several.
//
//   0 none       1 zstd (zstd.ts)       2 lz4, 3 snappy (packageCodecs.ts)       64 … 255 the user's
//
// A body is only taken if it saves a quarter. Keys that begin alike save an eighth by themselves, and for that each get
// whose block is in no cache would take 25 µs longer (zstd, 16 KiB), and three times as long as all the rest of it. How
// long the plain bytes are is known to who decompresses, and was checked against a limit before. What a user's codec
// returns may be memory that its next call uses again, as that of WebAssembly is: it is copied first.
import { FormatError, unsupported } from "./formatError.ts"

export interface Codec {
  readonly id: number
  readonly name: string
  readonly compress: (plain: Uint8Array) => Uint8Array
  /** Bytes of their own, but for users' codecs. What it throws, and any other length than this, is a damaged body. */
  readonly decompress: (body: Uint8Array, plainLength: number) => Uint8Array
}

/** Part of the format. Never renumber, never reuse. */
export const CodecId = { none: 0, zstd: 1, lz4: 2, snappy: 3 } as const
/** The ids of codecs that users bring, the last one included. */
export const userCodecIdMin = 64
export const userCodecIdMax = 255

/** Shorter bytes stay as they are: no codec makes anything of them. */
export const plainBytesMin = 64
/** What a decompressed block may keep in memory beside its bytes. */
const slackBytesMax = 64

/** Those that a database can read. */
export class Codecs {
  private readonly codecs = new Map<number, Codec>()

  constructor(known: Iterable<Codec>) {
    for (const codec of known) this.codecs.set(codec.id, codec)
  }

  byId(id: number): Codec | undefined {
    return this.codecs.get(id)
  }

  /** For writing; `undefined` for none. One that is not known is a bug of who chose it. */
  toWrite(id: number): Codec | undefined {
    const codec = this.codecs.get(id)
    if (codec === undefined && id !== CodecId.none) throw new Error(`codec ${id} is not known`)
    return codec
  }
}

/** The compressed bytes, if that saves enough. */
export const compressed = (codec: Codec, plain: Uint8Array): Uint8Array | undefined => {
  if (plain.length < plainBytesMin) return undefined
  if (isUsers(codec)) return compressedByUsers(codec, plain)
  const body = codec.compress(plain)
  return isShort(body, plain) ? body : undefined
}

const isUsers = ({ id }: Codec): boolean => id >= userCodecIdMin

const isShort = (body: Uint8Array, plain: Uint8Array): boolean => body.length <= plain.length - plain.length / 4

/** Nobody has tried it but the user: what it throws for, and what would not come back, is stored as it is. */
const compressedByUsers = (codec: Codec, plain: Uint8Array): Uint8Array | undefined => {
  try {
    const made = codec.compress(plain)
    if (!isShort(made, plain)) return undefined
    // Before it is asked for anything else: this may be memory that it uses again.
    const body = new Uint8Array(made)
    const again = codec.decompress(body, plain.length)
    const comesBack = again.length === plain.length && again.every((byte, index) => byte === plain[index])
    return comesBack ? body : undefined
  } catch {
    return undefined
  }
}

/** The plain bytes of a body. The caller has checked `plainLength` against a limit. Throws `FormatError`. */
export const decompressed = (
  codecs: Codecs,
  body: { readonly bytes: Uint8Array; readonly codec: number; readonly plainLength: number },
  offset: number
): Uint8Array => {
  const { bytes, plainLength } = body
  const codec = codecs.byId(body.codec)
  if (codec === undefined) throw unsupported(`a block has the unknown codec ${body.codec}`, offset)
  const plain = runCodec(codec, bytes, { plainLength, offset })
  if (plain.length !== plainLength) {
    throw new FormatError(`a block says it has ${plainLength} bytes and has ${plain.length}`, offset)
  }
  return isUsers(codec) ? new Uint8Array(plain) : own(plain)
}

const runCodec = (
  codec: Codec,
  body: Uint8Array,
  { offset, plainLength }: { readonly plainLength: number; readonly offset: number }
): Uint8Array => {
  try {
    return codec.decompress(body, plainLength)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new FormatError(`a block is not what ${codec.name} made: ${message}`, offset)
  }
}

// What is cached keeps no larger buffer alive, and one class of arrays keeps lookups fast.
const own = (bytes: Uint8Array): Uint8Array =>
  bytes.buffer.byteLength > bytes.length + slackBytesMax
    ? new Uint8Array(bytes)
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
