// What every way to run jobs needs of the services.
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { Disk } from "../../services/Disk.ts"
import { Encryption } from "../../services/Encryption.ts"
import { Manifest } from "../../services/Manifest.ts"
import { Options } from "../../services/Options.ts"
import type { JobParts } from "./jobSetup.ts"

export const jobParts: Effect.Effect<JobParts, never, Disk | Manifest | Encryption> = Effect.gen(function* () {
  return {
    options: yield* Options,
    disk: yield* Disk,
    manifest: yield* Manifest,
    encryption: yield* Encryption,
    random: yield* Random.Random
  }
})
