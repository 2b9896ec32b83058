// Between the lock and the first file that is opened: the encryption sees the place and says whether it is its own.
import * as Effect from "effect/Effect"
import { Encryption } from "../../services/Encryption.ts"
import type { DirectoryState } from "./directoryState.ts"
import { sealedWith } from "./manifestReader.ts"
import type { DirectoryParts } from "./ownFiles.ts"

/** In the scope of who asks. Touches nothing. */
export const attachEncryption = Effect.fnUntraced(function* (parts: DirectoryParts, state: DirectoryState) {
  const encryption = yield* Encryption
  const keyrings = state.keyrings.map(({ number }) => number)
  return yield* encryption.attach({ ...parts, keyrings, sealedWith: yield* sealedWith(parts, state) })
})
