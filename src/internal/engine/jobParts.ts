// What every way to run jobs needs of the services.
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { Disk } from "../../services/Disk.ts"
import { Manifest } from "../../services/Manifest.ts"
import { Options } from "../../services/Options.ts"
import type { JobParts } from "./jobSetup.ts"

export const jobParts: Effect.Effect<JobParts, never, Disk | Manifest> = Effect.gen(function* () {
  const manifest = yield* Manifest
  return {
    options: yield* Options,
    disk: yield* Disk,
    manifest,
    encryption: manifest.encryption,
    random: yield* Random.Random
  }
})
