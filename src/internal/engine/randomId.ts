// Random bytes for the ids of databases, incarnations and files.
//
// Ids need only be unique here: that of a file ties its pieces to it where nothing is encrypted. They come from
// Effect's Random, so that a simulation repeats itself. Where a file's key is derived from its id, the encryption gives
// the ids (`FileEncryption.newFileId`): one that came twice would be a key that came twice.
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
