// A codec of the user's, of what an import of its module gave: the functions `compress` and `decompress`, exported by
// these names or as the members of the default export.
import type { Codec } from "./codec.ts"

/** `undefined` if the module has no such functions. */
export const moduleCodec = (
  { id, name }: { readonly id: number; readonly name: string },
  module: unknown
): Codec | undefined => functionsOf({ id, name }, module) ?? functionsOf({ id, name }, defaultOf(module))

const defaultOf = (module: unknown): unknown => (module as { readonly default?: unknown } | undefined)?.default

const functionsOf = (named: { readonly id: number; readonly name: string }, from: unknown): Codec | undefined => {
  const { compress, decompress } = (from ?? {}) as Partial<Codec>
  if (typeof compress !== "function" || typeof decompress !== "function") return undefined
  return {
    ...named,
    compress: (plain) => compress(plain),
    decompress: (body, plainLength) => decompress(body, plainLength)
  }
}
