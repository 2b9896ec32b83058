// A database with value files at tiny thresholds, on a simulated disk that tells which of them are there.
import { Effect, Stream } from "effect"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { visibleImage } from "./opened.ts"
import { type Body, pathsOf, simulate, using } from "./scenario.ts"

export const options: OptionsInput = {
  arenaBytes: 4096,
  arenaCount: 2,
  valueBytesMax: 100_000,
  valueThreshold: 100,
  directValueBytesMin: 500,
  valueFileBytesMax: 4000,
  cacheBytes: 0,
  flushOnCloseBytesMin: 1024 * 1024
}

/** Bytes that differ from value to value and within one. */
export const valueOf = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + seed * 31 + (index >> 8)) & 0xff)

const pieces = (value: Uint8Array, length: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(value.length / length) }, (_, index) =>
    value.subarray(index * length, (index + 1) * length)
  )

export const streamOf = (value: Uint8Array, length = 333) => Stream.fromIterable(pieces(value, length))

/** The names of value files on the disk. */
export const filesOf = (device: SimDisk.SimDisk): ReadonlyArray<string> => pathsOf(visibleImage(device), "value")

export interface Session {
  readonly device: SimDisk.SimDisk
  /** One open database after the other, on the same disk. */
  readonly open: <A>(body: Body<A>, more?: OptionsInput) => A
}

export const session = (): Session => {
  const device = SimDisk.make()
  return { device, open: (body, more = {}) => simulate(using(device, body, { ...options, ...more })) }
}

/** What is removed in the background is gone. */
export const settled = Effect.sleep(50)
