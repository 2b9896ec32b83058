// What sustained random writing does to the process and to the disk: `node bench/sustained.ts [--quick] [--large]
// [--keys n] [--sets n] [--workers n] [--directory path]`. One process writes 10 M times over 2 M keys of 128 bytes,
// with readers beside it, rests, and removes everything; another is the control, with spinning threads and no database.
// It builds the package first, and measures that.
// Prints each figure beside what is wanted of it; a figure that is not reached makes the exit code 1.
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { answerOf } from "./answer.ts"
import { report, wantedOf } from "./sustained/report.ts"
import type { ControlResult, LoadResult, Settings } from "./sustained/settings.ts"

const { values: flags } = parseArgs({
  options: {
    keys: { type: "string" },
    sets: { type: "string" },
    workers: { type: "string", default: String(Math.max(1, Math.min(2, availableParallelism() - 1))) },
    quick: { type: "boolean", default: false },
    large: { type: "boolean", default: false },
    directory: { type: "string", default: tmpdir() }
  }
})

const scale = flags.quick
  ? { keys: 100_000, sets: 500_000, controlSeconds: 5, idleSeconds: 25 }
  : { keys: flags.large ? 10_000_000 : 2_000_000, sets: 10_000_000, controlSeconds: 20, idleSeconds: 60 }

/** Runs one of the processes, and returns what it wrote to its fourth descriptor. */
const run = <A>(script: string, settings: Settings): Promise<A> =>
  answerOf(join(import.meta.dirname, "sustained", script), settings)

const directory = mkdtempSync(join(flags.directory, "strata-sustained-"))
const remove = (): void => rmSync(directory, { recursive: true, force: true })
process.once("SIGINT", () => {
  remove()
  process.exit(130)
})

const settings: Settings = {
  ...scale,
  ...(flags.keys === undefined ? {} : { keys: Number(flags.keys) }),
  ...(flags.sets === undefined ? {} : { sets: Number(flags.sets) }),
  directory: join(directory, "db"),
  workers: Number(flags.workers)
}
try {
  const build = spawnSync(process.execPath, [join(import.meta.dirname, "../scripts/build.ts")], { stdio: "inherit" })
  if (build.status !== 0) throw new Error("the build failed")
  const control = await run<ControlResult>("control.ts", settings)
  const load = await run<LoadResult>("load.ts", settings)
  process.stdout.write(report(settings, control, load))
  if (wantedOf(control, load).some(({ reached }) => !reached)) process.exitCode = 1
} finally {
  remove()
}
