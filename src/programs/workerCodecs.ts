// The codecs of a worker thread: those that are built in, of packages that were installed for them, and of users'
// modules. A thread that is inside of one is not ended from outside (threadGate.ts).
import { type Codec, Codecs } from "../internal/format/codec.ts"
import { moduleCodec } from "../internal/format/moduleCodec.ts"
import { packageCodec } from "../internal/format/packageCodecs.ts"
import { zstd } from "../internal/format/zstd.ts"
import type { CodecSource } from "../internal/structure/jobMessages.ts"
import type { ThreadGate } from "../internal/structure/threadGate.ts"

const codecOf = async ({ id, name, origin }: CodecSource): Promise<Codec> => {
  const module: unknown = await import(origin.url)
  const codec = origin._tag === "Module" ? moduleCodec({ id, name }, module) : packageCodec(origin.codec, module)
  if (codec === undefined) throw new Error(`the codec "${name}" is not in ${origin.url}`)
  return codec
}

export class WorkerCodecs {
  /** Those that every worker has. */
  readonly builtin: Codecs
  private readonly gate: ThreadGate
  private readonly loaded = new Map<string, Promise<Codecs>>()

  constructor(gate: ThreadGate) {
    this.gate = gate
    this.builtin = new Codecs([this.gated(zstd)])
  }

  /**
   * Loaded once: a database has the same codecs for as long as it is open. Rejects if one cannot be had; the next job
   * tries again, for what was in the way may be gone.
   */
  with(sources: ReadonlyArray<CodecSource>): Promise<Codecs> {
    const key = JSON.stringify(sources)
    const known = this.loaded.get(key)
    if (known !== undefined) return known
    const codecs = this.load(sources)
    this.loaded.set(key, codecs)
    codecs.catch(() => this.loaded.delete(key))
    return codecs
  }

  private async load(sources: ReadonlyArray<CodecSource>): Promise<Codecs> {
    const codecs = await Promise.all(sources.map(codecOf))
    return new Codecs([zstd, ...codecs].map((codec) => this.gated(codec)))
  }

  private gated(codec: Codec): Codec {
    const { id, name } = codec
    return {
      id,
      name,
      compress: (plain) => this.gate.inside(() => codec.compress(plain)),
      decompress: (body, plainLength) => this.gate.inside(() => codec.decompress(body, plainLength))
    }
  }
}
