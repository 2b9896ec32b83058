// Plans in files: those that failed once are kept in test/fixtures/plans/ and run with every run of the tests.
//
// A file is the plan as JSON, beside `about`: what it showed, and since when it passes.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import type { Plan } from "./plan.ts"
import { runPlan } from "./run.ts"
import { shrink } from "./shrink.ts"

const folder = new URL("../fixtures/plans/", import.meta.url)

export const fixtures = (): ReadonlyArray<string> => readdirSync(folder).filter((name) => name.endsWith(".json"))

interface PlanFile {
  readonly about: string
  readonly plan: Plan
}

const readPlan = (file: URL | string): PlanFile => JSON.parse(readFileSync(file, "utf8")) as PlanFile

/** Runs the plan twice: it passes, and both runs are the same. Throws otherwise. */
export const replay = (file: URL | string): void => {
  const { plan } = readPlan(file)
  const [first, second] = [runPlan(plan), runPlan(plan, { judges: false })]
  if (first.traceHash !== second.traceHash) throw new Error(`two runs of ${String(file)} differ`)
}

export const replayFixture = (name: string): void => replay(new URL(name, folder))

/** Makes the failing plan smaller, for at most so long, keeps it, and says how it is run again. */
export const keepFailing = (plan: Plan, millis = 60_000): string => {
  const shrunk = shrink(plan, { until: performance.now() + millis })
  if (shrunk === undefined) return "it does not fail when it is run again"
  const { message } = shrunk.failure
  mkdirSync(folder, { recursive: true })
  const file = `test/fixtures/plans/seed-${plan.seed}.json`
  const about = `${message.split("\n")[0]}`
  writeFileSync(new URL(`seed-${plan.seed}.json`, folder), `${JSON.stringify({ about, plan: shrunk.plan })}\n`)
  return `${message}\nagain: npm run torture -- --plan ${file}`
}
