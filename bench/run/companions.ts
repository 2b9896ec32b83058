// The targets that need a whole process to themselves: what sustained writing does to it, and what large values do to
// the disk. `sustained.ts` and `values.ts` measure them; here they run at a smaller scale, once.
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { answerOf } from "../answer.ts"
import { wantedOf as sustainedWanted } from "../sustained/report.ts"
import type { ControlResult, LoadResult } from "../sustained/settings.ts"
import { wantedOf as valuesWanted } from "../values/report.ts"
import type { ValuesResult } from "../values/settings.ts"

export interface CompanionVerdict {
  readonly what: string
  readonly wanted: string
  readonly found: string
  readonly reached: boolean
}

export interface Companion {
  readonly id: string
  readonly title: string
  readonly run: (directory: string, quick: boolean) => Promise<ReadonlyArray<CompanionVerdict>>
}

const bench = join(import.meta.dirname, "..")
const valueBytes = 10_240
const mebibyte = 1024 * 1024

export const build = (): void => {
  const { status } = spawnSync(process.execPath, [join(bench, "../scripts/build.ts")], { stdio: ["ignore", 2, 2] })
  if (status !== 0) throw new Error("the build failed")
}

/** In a directory of its own, which is removed; `cleanups` has what an interrupt must do. */
export const inDirectory = async <A>(
  parent: string,
  cleanups: Set<() => void>,
  use: (directory: string) => Promise<A>
): Promise<A> => {
  const directory = mkdtempSync(join(parent, "strata-bench-"))
  const remove = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  cleanups.add(remove)
  try {
    return await use(directory)
  } finally {
    cleanups.delete(remove)
    remove()
  }
}

const sustained: Companion = {
  id: "sustained-process",
  title: "`sustained.ts`",
  run: async (directory, quick) => {
    const scale = quick
      ? { keys: 100_000, sets: 500_000, controlSeconds: 5, idleSeconds: 25 }
      : { keys: 1_000_000, sets: 4_000_000, controlSeconds: 10, idleSeconds: 30 }
    const workers = Math.max(1, Math.min(2, availableParallelism() - 1))
    const settings = { ...scale, directory: join(directory, "db"), workers }
    const run = <A>(script: string): Promise<A> => answerOf(join(bench, "sustained", script), settings)
    const control = await run<ControlResult>("control.ts")
    return sustainedWanted(control, await run<LoadResult>("load.ts"))
  }
}

const values: Companion = {
  id: "values-process",
  title: "`values.ts`",
  run: async (directory, quick) => {
    const mebibytes = quick ? 64 : 256
    const keys = Math.floor((mebibytes * mebibyte) / valueBytes)
    const settings = { directory: join(directory, "db"), keys, valueBytes, passes: 5, patienceSeconds: 120 }
    return valuesWanted(await answerOf<ValuesResult>(join(bench, "values/load.ts"), settings))
  }
}

export const companions: ReadonlyArray<Companion> = [sustained, values]
