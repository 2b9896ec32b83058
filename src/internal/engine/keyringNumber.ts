// The keyring that was found against the number that the manifest records of it (keyringFiles.ts): what was put back of
// an earlier time has a lower one.
import * as Effect from "effect/Effect"
import { fail, Stale, Tampered } from "../../services/DatabaseError.ts"
import { keyringFileName } from "../format/fileName.ts"
import { directoryState } from "./directoryState.ts"
import { fromDisk } from "./diskErrors.ts"
import type { FileParts } from "./ownFiles.ts"

/** `recorded` is 0 if the manifest knows of none. */
export const checkKeyringNumber = Effect.fnUntraced(function* (parts: FileParts, recorded: number) {
  const { directory, disk, encryption, readOnly } = parts
  const found = encryption.keys?.facts().ringNumber ?? recorded
  if (found >= recorded) return
  const file = disk.join(directory, keyringFileName(found))
  // A writer may have come between a reader's look at the keyring and at the manifest.
  const { keyrings } = directoryState(readOnly ? yield* fromDisk(disk.list(directory)) : [])
  if (keyrings.some(({ number }) => number >= recorded)) {
    return yield* fail(new Stale({ message: `${file} was replaced by a later writer; open the database again`, file }))
  }
  const message = `${file}: this keyring was replaced by ${keyringFileName(recorded)}, which is gone; restore a backup`
  return yield* fail(new Tampered({ message, file, offset: 0 }))
})
