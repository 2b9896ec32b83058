// What does each codec save, and what does it cost? `node bench/compression.ts [--rounds n] [--gets n] [--root path]
// [--directory path]`. Stores the sources under node_modules (files of programs and other binaries left out), with
// each codec at the bottom level, and reads them again in a process of their own, with next to no cache: what is cold
// is Strata's cache, not that of the file system. It builds the package first, and measures that. Each
// figure is the best of the rounds.
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { answerOf } from "./answer.ts"
import { report } from "./compression/report.ts"
import type { Loaded, Read, Result, Task, Variant } from "./compression/settings.ts"

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    gets: { type: "string", default: "5000" },
    root: { type: "string", default: join(import.meta.dirname, "../node_modules") },
    directory: { type: "string", default: tmpdir() }
  }
})

const variants: ReadonlyArray<Variant> = [
  { shape: "files", codec: "none", values: false },
  { shape: "files", codec: "zstd", values: false },
  { shape: "files", codec: "zstd", values: true },
  { shape: "files", codec: "lz4", values: true },
  { shape: "files", codec: "snappy", values: true },
  { shape: "pieces", codec: "none", values: false },
  { shape: "pieces", codec: "zstd", values: false },
  { shape: "pieces", codec: "lz4", values: false },
  { shape: "pieces", codec: "snappy", values: false }
]

const run = <A>(task: Task): Promise<A> => answerOf(join(import.meta.dirname, "compression", "child.ts"), task)

const place = mkdtempSync(join(flags.directory, "strata-compression-"))
const remove = (): void => rmSync(place, { recursive: true, force: true })
process.once("SIGINT", () => {
  remove()
  process.exit(130)
})

const once = async (variant: Variant): Promise<Result> => {
  const directory = join(place, "db")
  const task = { ...variant, directory, root: flags.root, gets: Number(flags.gets) }
  const loaded = await run<Loaded>({ ...task, phase: "load" })
  const read = await run<Read>({ ...task, phase: "read" })
  rmSync(directory, { recursive: true })
  return { ...loaded, ...read }
}

/** What is the same in each round, and the least of the rest: nothing takes less time because of something else. */
const least = (results: ReadonlyArray<Result>): Result => {
  const of = (name: keyof Result): number => Math.min(...results.map((result) => result[name]))
  return {
    plainBytes: of("plainBytes"),
    diskBytes: of("diskBytes"),
    seconds: of("seconds"),
    cpuSeconds: of("cpuSeconds"),
    scanSeconds: of("scanSeconds"),
    getMicros: of("getMicros")
  }
}

try {
  const build = spawnSync(process.execPath, [join(import.meta.dirname, "../scripts/build.ts")], { stdio: "inherit" })
  if (build.status !== 0) throw new Error("the build failed")
  const results = new Map<Variant, Array<Result>>(variants.map((variant) => [variant, []]))
  // Rounds, not variants, follow each other: what else the machine does falls on all of them.
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const variant of variants) results.get(variant)!.push(await once(variant))
    process.stderr.write(`round ${round + 1} of ${flags.rounds}\n`)
  }
  process.stdout.write(report(variants.map((variant) => [variant, least(results.get(variant)!)])))
} finally {
  remove()
}
