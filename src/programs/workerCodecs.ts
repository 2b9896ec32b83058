// The codecs of a worker thread that are not built in: of packages that were installed for them, and of users' modules.
import { type Codec, Codecs } from "../internal/format/codec.ts"
import { moduleCodec } from "../internal/format/moduleCodec.ts"
import { packageCodec } from "../internal/format/packageCodecs.ts"
import { zstd } from "../internal/format/zstd.ts"
import type { CodecSource } from "../internal/structure/jobMessages.ts"

const codecOf = async ({ id, name, origin }: CodecSource): Promise<Codec> => {
  const module: unknown = await import(origin.url)
  const codec = origin._tag === "Module" ? moduleCodec({ id, name }, module) : packageCodec(origin.codec, module)
  if (codec === undefined) throw new Error(`the codec "${name}" is not in ${origin.url}`)
  return codec
}

const load = async (sources: ReadonlyArray<CodecSource>): Promise<Codecs> =>
  new Codecs([zstd, ...(await Promise.all(sources.map(codecOf)))])

const loaded = new Map<string, Promise<Codecs>>()

/**
 * Loaded once: a database has the same codecs for as long as it is open. Rejects if one cannot be had; the next job
 * tries again, for what was in the way may be gone.
 */
export const workerCodecs = (sources: ReadonlyArray<CodecSource>): Promise<Codecs> => {
  const key = JSON.stringify(sources)
  const known = loaded.get(key)
  if (known !== undefined) return known
  const codecs = load(sources)
  loaded.set(key, codecs)
  codecs.catch(() => loaded.delete(key))
  return codecs
}
