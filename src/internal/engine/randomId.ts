// Random bytes for the ids of databases, incarnations and files.
//
// Ids need only be unique here: that of a file ties its pieces to it where nothing is encrypted. They come from
// Effect's Random, so that a simulation repeats itself. Where a key is derived from a file's id, nothing secret hangs
// on the id: the encryption layer's own randomness is in its data key.
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

export type RandomService = Effect.Success<typeof Random.Random>

export const randomBytes = (length: number): Effect.Effect<Uint8Array> =>
  Effect.map(Random.Random, (random) => randomBytesUnsafe(random, length))

/** The same at once. */
export const randomBytesUnsafe = (random: RandomService, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++) bytes[index] = Math.floor(random.nextDoubleUnsafe() * 256)
  return bytes
}
