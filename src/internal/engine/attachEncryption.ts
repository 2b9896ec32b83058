// Between the lock and the first file that is opened: the encryption sees the place and says whether it is its own.
//
// Where no marker can be read it is told to create, and asks for a key that takes long: a passphrase is stretched, a
// provider asked. So whether a database may be created there is asked before.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import { Encryption } from "../../services/Encryption.ts"
import type { DirectoryState } from "./directoryState.ts"
import { sealedWith, type TornMarker } from "./manifestReader.ts"
import type { DirectoryParts } from "./ownFiles.ts"

/** In the scope of who asks. Touches nothing. `checkCreation` is asked where no marker can be read, and why is told. */
export const attachEncryption = Effect.fnUntraced(function* (
  parts: DirectoryParts,
  state: DirectoryState,
  checkCreation: (torn: ReadonlyArray<TornMarker>) => Effect.Effect<void, DatabaseError>
) {
  const encryption = yield* Encryption
  const keyrings = state.keyrings.map(({ number }) => number)
  const { tagBytes, torn } = yield* sealedWith(parts, state)
  if (tagBytes === undefined) yield* checkCreation(torn)
  return yield* encryption.attach({ ...parts, keyrings, sealedWith: tagBytes })
})
