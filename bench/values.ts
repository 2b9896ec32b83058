// Does the space of large values come back, and what does it cost? `node bench/values.ts [--mebibytes n] [--value
// bytes] [--passes n] [--quick] [--directory path]`. Sets 1 GiB of values of 10 KiB, rests, makes five times as many
// sets of keys drawn at random, rests, and removes every key; nobody calls for collection. It builds the package
// first, and measures that. Prints each figure beside what is wanted of it; a figure that is not reached makes the
// exit code 1.
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { answerOf } from "./answer.ts"
import { report, wantedOf } from "./values/report.ts"
import type { Settings, ValuesResult } from "./values/settings.ts"

const quickMebibytes = 128

const { values: flags } = parseArgs({
  options: {
    mebibytes: { type: "string", default: "1024" },
    value: { type: "string", default: "10240" },
    passes: { type: "string", default: "5" },
    quick: { type: "boolean", default: false },
    directory: { type: "string", default: tmpdir() }
  }
})

const run = (settings: Settings): Promise<ValuesResult> =>
  answerOf(join(import.meta.dirname, "values", "load.ts"), settings)

const directory = mkdtempSync(join(flags.directory, "strata-values-"))
const remove = (): void => rmSync(directory, { recursive: true, force: true })
process.once("SIGINT", () => {
  remove()
  process.exit(130)
})

const mebibytes = flags.quick ? quickMebibytes : Number(flags.mebibytes)
const valueBytes = Number(flags.value)
const settings: Settings = {
  directory: join(directory, "db"),
  keys: Math.floor((mebibytes * 1024 * 1024) / valueBytes),
  valueBytes,
  passes: Number(flags.passes),
  patienceSeconds: 300
}
try {
  const build = spawnSync(process.execPath, [join(import.meta.dirname, "../scripts/build.ts")], { stdio: "inherit" })
  if (build.status !== 0) throw new Error("the build failed")
  const result = await run(settings)
  process.stdout.write(report(settings, result))
  if (wantedOf(result).some(({ reached }) => !reached)) process.exitCode = 1
} finally {
  remove()
}
