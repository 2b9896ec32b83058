import { Context, Effect, Layer } from "effect"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import * as InlineJobs from "../../src/layers/InlineJobs.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import { Disk, type DiskService } from "../../src/services/Disk.ts"
import { Jobs } from "../../src/services/Jobs.ts"
import { Manifest } from "../../src/services/Manifest.ts"
import * as Options from "../../src/services/Options.ts"
import { jobsSuite } from "../suites/jobsSuite.ts"
import { type JobsUnderTest, manifestIds } from "../support/jobsKit.ts"
import * as memoryManifest from "../support/memoryManifest.ts"
import { inMemory, simulated } from "../support/tables.ts"

const under = (disk: DiskService): JobsUnderTest => {
  const manifest = memoryManifest.make("/db", manifestIds)
  return {
    disk,
    manifest,
    jobs: (options) =>
      Effect.map(
        Layer.build(
          InlineJobs.layer.pipe(
            Layer.provide([Layer.succeed(Disk, disk), Layer.succeed(Manifest, manifest)]),
            Layer.provide(Layer.succeed(Options.Options, { ...Options.defaults, ...options } as Options.OptionsShape))
          )
        ),
        (context) => Context.get(context, Jobs)
      )
  }
}

jobsSuite("InlineJobs on MemoryDisk", Effect.map(inMemory, under))
jobsSuite(
  "InlineJobs on SimDisk",
  Effect.map(simulated(), ({ disk, files }) => ({
    ...under(disk),
    afterPowerCut: () => MemoryDisk.fromImage(files.crash(outcomes[0]!, new SeededRandom(1))).disk
  }))
)
