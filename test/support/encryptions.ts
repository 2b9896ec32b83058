// Encryptions that are none: for tests of what is sealed where, and not of how well.
import { Effect } from "effect"
import type { Sealer } from "../../src/internal/format/sealer.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import { EncryptionKeyRequired, fail, NotEncrypted } from "../../src/services/DatabaseError.ts"
import type { EncryptionService, FileEncryption } from "../../src/services/Encryption.ts"
import { invertingSealer } from "../internal/format/support.ts"

/** Every file with the one sealer, on this thread alone. */
export const filesWith = (sealer: Sealer, given?: Partial<FileEncryption>): FileEncryption => ({
  ...NoEncryption.fileEncryption,
  name: "test",
  tagBytes: sealer.tagBytes,
  keyGeneration: () => sealer.keyGeneration,
  sealer: () => Effect.succeed(sealer),
  threadKeys: undefined,
  ...given
})

export const invertingFiles = filesWith(invertingSealer)

/** Attaches the same to every place, unless what is there is sealed in another way. */
export const encryptionWith = (files: FileEncryption): EncryptionService => ({
  name: files.name,
  attach: ({ sealedWith }) => {
    if (sealedWith === undefined || sealedWith === files.tagBytes) return Effect.succeed(files)
    const message = "sealed in another way"
    const reason = sealedWith === 4 ? new NotEncrypted({ message }) : new EncryptionKeyRequired({ message })
    return Effect.fail(fail(reason))
  }
})
