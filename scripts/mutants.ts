// Does the suite notice when what keeps data safe is missing? `npm run mutants`.
//
//   --sample <n>      so many of them (100), from as many files as there are; 0: all
//   --seed <n>        of the sample (1)
//   --part <i>/<n>    of the sample only the i-th of n parts
//   --only <regex>    instead of a sample those whose `file:line kind code` matches
//   --list            only says which mutants there are
//   --planted         only the planted bugs
//   --quick           does not try first whether an unmutated copy passes
//   --near            only the tests nearest to it: whoever survives these may be killed by others
//   --sandboxes <n>   so many at a time (2)
//
// Each mutant is one change of a copy of the sources; the suites run until one fails or is late. Fewer than 95 %
// killed, or a planted bug that 2,000 crash images, or the test of readers, do not show, is a failure. A mutant that
// changes nothing that anybody can see is no mutant: `mutants/equivalent.ts` names these, each with its reason.
import { parseArgs } from "node:util"
import { SeededRandom } from "../src/internal/structure/random.ts"
import { withoutEquivalent } from "./mutants/equivalent.ts"
import { findMutants, type Mutant } from "./mutants/find.ts"
import { patched, plantedBugs } from "./mutants/planted.ts"
import {
  allSuites,
  imagesSuite,
  readersSuite,
  readSources,
  Sandbox,
  type Suite,
  suitesFor,
  type Verdict
} from "./mutants/sandbox.ts"
import { sampleOf } from "./mutants/sample.ts"

const { values } = parseArgs({
  options: {
    sample: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    part: { type: "string", default: "1/1" },
    only: { type: "string" },
    list: { type: "boolean", default: false },
    planted: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    near: { type: "boolean", default: false },
    sandboxes: { type: "string", default: "2" }
  }
})

const killedMin = 0.95

const sources = readSources()
const found = findMutants(sources)
const { missing: reasonless, mutants: all } = withoutEquivalent(found.mutants)
const missing = [...found.missing, ...reasonless]
const wanted = values.only === undefined ? undefined : new RegExp(values.only)
const nameOf = ({ file, kind, line, was }: Mutant): string => `${file}:${line} ${kind} ${was}`
const chosen =
  wanted === undefined
    ? sampleOf(all, Number(values.sample) || all.length, new SeededRandom(Number(values.seed)))
    : all.filter((mutant) => wanted.test(nameOf(mutant)))
const [part, parts] = values.part.split("/").map(Number) as [number, number]
const mutants = chosen.filter((_, index) => index % parts === part - 1)

for (const name of missing) console.log(`not found any more: ${name}`)
if (values.list) {
  for (const mutant of mutants) console.log(nameOf(mutant))
  console.log(`${mutants.length} of ${all.length} mutants, of ${new Set(mutants.map(({ file }) => file)).size} files`)
  process.exit(missing.length === 0 ? 0 : 1)
}

/** Runs the jobs, so many at a time as there are sandboxes. */
const inSandboxes = async <A>(
  sandboxes: ReadonlyArray<Sandbox>,
  jobs: ReadonlyArray<(sandbox: Sandbox) => Promise<A>>
): Promise<ReadonlyArray<A>> => {
  const results: Array<A> = []
  let next = 0
  await Promise.all(
    sandboxes.map(async (sandbox) => {
      while (next < jobs.length) {
        const index = next++
        results[index] = await jobs[index]!(sandbox)
      }
    })
  )
  return results
}

/** An unmutated copy passes; how long it takes says when a mutant's run is late. */
const selfCheck = async (sandboxes: ReadonlyArray<Sandbox>): Promise<ReadonlyMap<string, number>> => {
  const limits = new Map<string, number>()
  const suites = values.quick ? [] : values.planted ? [imagesSuite, readersSuite] : [...allSuites, readersSuite]
  await inSandboxes(
    sandboxes,
    suites.map((suite: Suite) => async (sandbox) => {
      const startedAt = performance.now()
      const { code, output } = await sandbox.run(suite, 600)
      if (code !== 0) throw new Error(`the unmutated copy fails ${suite.name}:\n${output.slice(-3000)}`)
      const seconds = (performance.now() - startedAt) / 1000
      limits.set(suite.name, Math.max(30, seconds * 3))
      console.log(`unmutated: ${suite.name} passes in ${seconds.toFixed(1)} s`)
    })
  )
  return limits
}

const tryPlanted = async (sandboxes: ReadonlyArray<Sandbox>, limits: ReadonlyMap<string, number>): Promise<number> => {
  const bugs = plantedBugs(sources)
  const verdicts = await inSandboxes(
    sandboxes,
    bugs.map(
      ({ edits, isOfReaders = false }) =>
        (sandbox) =>
          sandbox.try(patched(sources, edits), { suites: [isOfReaders ? readersSuite : imagesSuite], limits, sources })
    )
  )
  for (const [index, { by, isKilled }] of verdicts.entries()) {
    console.log(`${isKilled ? "shown  " : "HIDDEN "} ${bugs[index]!.name}: ${by}`)
  }
  return verdicts.filter(({ isKilled }) => !isKilled).length
}

const tryMutants = async (sandboxes: ReadonlyArray<Sandbox>, limits: ReadonlyMap<string, number>): Promise<number> => {
  const verdicts: ReadonlyArray<Verdict> = await inSandboxes(
    sandboxes,
    mutants.map((mutant) => async (sandbox) => {
      const options = { suites: suitesFor(mutant.kind, mutant.file, values.near), limits, sources }
      const verdict = await sandbox.try(patched(sources, mutant.edits), options)
      const { by, isKilled, seconds } = verdict
      console.log(`${isKilled ? "killed  " : "SURVIVED"} ${nameOf(mutant)}\n         ${by} (${seconds.toFixed(0)} s)`)
      return verdict
    })
  )
  const killed = verdicts.filter(({ isKilled }) => isKilled).length
  const share = mutants.length === 0 ? 1 : killed / mutants.length
  console.log(`${killed} of ${mutants.length} mutants killed: ${(share * 100).toFixed(1)} %`)
  for (const [index, { isKilled }] of verdicts.entries())
    if (!isKilled) console.log(`SURVIVED ${nameOf(mutants[index]!)}`)
  return share
}

const sandboxes = Array.from({ length: Number(values.sandboxes) }, () => new Sandbox())
process.on("exit", () => sandboxes.forEach((sandbox) => sandbox.remove()))
const limits = await selfCheck(sandboxes)
const hidden = wanted === undefined && part === 1 ? await tryPlanted(sandboxes, limits) : 0
const share = values.planted ? 1 : await tryMutants(sandboxes, limits)
if (hidden > 0 || share < killedMin || missing.length > 0) process.exitCode = 1
