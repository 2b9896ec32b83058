/**
 * Codecs of packages and modules.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import { moduleCodec } from "../internal/format/moduleCodec.ts"
import { codecPackages, packageCodec, type PackageCodec } from "../internal/format/packageCodecs.ts"
import type { KnownCodec } from "../services/Compression.ts"
import { type DatabaseError, fail, Unsupported } from "../services/DatabaseError.ts"

/**
 * Where a package is, and how a module is loaded. Tests put other ways here.
 *
 * @internal
 */
export const codecModules = {
  resolve: (name: string): string => pathToFileURL(createRequire(import.meta.url).resolve(name)).href,
  load: (url: string): Promise<unknown> => import(url)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const refuse = (message: string): Effect.Effect<never, DatabaseError> => Effect.fail(fail(new Unsupported({ message })))

const load = (url: string, what: string): Effect.Effect<unknown, DatabaseError> =>
  Effect.tryPromise({
    try: () => codecModules.load(url),
    catch: (error) => fail(new Unsupported({ message: `${what} cannot be loaded here: ${messageOf(error)}` }))
  })

const urlOf = (name: PackageCodec): Effect.Effect<string, DatabaseError> =>
  Effect.try({
    try: () => codecModules.resolve(codecPackages[name]),
    catch: () => {
      const specifier = codecPackages[name]
      return fail(new Unsupported({ message: `the codec ${name} needs ${specifier}: npm install ${specifier}` }))
    }
  })

/**
 * The codec of an optional package. Fails `Unsupported`, with what to install, where it is missing.
 *
 * @internal
 */
export const packaged = Effect.fnUntraced(function* (name: PackageCodec): Effect.fn.Return<KnownCodec, DatabaseError> {
  const url = yield* urlOf(name)
  const codec = packageCodec(name, yield* load(url, `the package ${codecPackages[name]}`))
  if (codec === undefined) return yield* refuse(`the codec ${name} cannot use this ${codecPackages[name]}: ${url}`)
  return { ...codec, origin: { _tag: "Package", codec: name, url } }
})

/**
 * A codec of a user's module. Fails `Unsupported` where that cannot be loaded.
 *
 * @internal
 */
export const ofModule = Effect.fnUntraced(function* (codec: {
  readonly id: number
  readonly name: string
  readonly url: string
}): Effect.fn.Return<KnownCodec, DatabaseError> {
  const { name, url } = codec
  const found = moduleCodec(codec, yield* load(url, `the codec "${name}" of ${url}`))
  if (found === undefined) return yield* refuse(`the codec "${name}": ${url} exports no compress and decompress`)
  return { ...found, origin: { _tag: "Module", url } }
})
