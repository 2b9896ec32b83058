// Which branches of what commits, recovers, installs, compacts and collects does no test reach? `npm run coverage`.
//
//   --only <text>...   runs only the tests whose paths have one of these in them: what is reached then says nothing of
//                      the rest, and nothing fails
//   --read <directory> runs nothing, but reads what a run before has left there
//   --keep <directory> leaves what was reached there
//
// Counted is what the tests run in their own processes, and the programs that they start and that end by themselves:
// one that is killed writes nothing. Worker threads run a bundle of the sources, which is not counted; every job also
// runs inline. A branch that is not reached and has no reason in `reached/reasons.ts` is a failure, and so is a reason
// without its branch.
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { errorSites, Reached, type Script, type Unreached } from "./reached/branches.ts"
import { parts } from "./reached/files.ts"
import { reasons } from "./reached/reasons.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "boolean", default: false },
    read: { type: "string" },
    keep: { type: "string" }
  }
})

const root = fileURLToPath(new URL("..", import.meta.url))

/**
 * Tests that take minutes, for they repeat one thing, end processes that then write nothing, or are about something
 * else: what they reach of these files the others reach.
 */
const leftOut = [
  "test/programs/**",
  "test/{abandoned,canaries,crashJobs,fullDisk,kill,killedWorkers,killsAtCalls,leaks,nonces,pack}.test.ts",
  "test/{sealedRuns,simulation,soak,tampering,threadEndings,tidy,torture}.test.ts",
  "test/internal/structure/{amplification,compactionPicker.property}.test.ts",
  // It puts another `node:crypto` in place, which needs the loader of `npm test`.
  "test/layers/NodeKeyDerivationOldNode.test.ts"
]

/** A share of the images: which branch they reach shows early. */
const env = { STRATA_IMAGES: "200", STRATA_FAULTS: "3" }

const runTests = (directory: string): Promise<number> => {
  const tests = values.only ? positionals : []
  const config = join(root, "scripts/reached/vitest.config.ts")
  const excluded = leftOut.flatMap((pattern) => ["--exclude", pattern])
  const child = spawn(
    process.execPath,
    ["node_modules/vitest/vitest.mjs", "run", "-c", config, ...excluded, ...tests],
    {
      cwd: root,
      env: { ...process.env, ...env, NODE_V8_COVERAGE: directory },
      stdio: "inherit"
    }
  )
  return new Promise((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (code) => resolve(code ?? 1))
  })
}

interface Written {
  readonly result: ReadonlyArray<Script & { readonly url: string }>
}

const textOf = (file: string): string => readFileSync(join(root, file), "utf8")

/** All sources but the programs, whose tests are left out. */
const sources = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
  .filter((file) => !file.startsWith("src/programs/"))
  .sort()

const learn = (directory: string): ReadonlyMap<string, Reached> => {
  const files = new Map(sources.map((file) => [file, new Reached(textOf(file))]))
  const byUrl = new Map([...files].map(([file, reached]) => [pathToFileURL(join(root, file)).href, reached]))
  for (const name of readdirSync(directory)) {
    const { result } = JSON.parse(readFileSync(join(directory, name), "utf8")) as Written
    for (const script of result) byUrl.get(script.url)?.learn(script)
  }
  return files
}

interface Found {
  readonly file: string
  readonly branch: Unreached
}

/** What is unreached of each part, and of the errors of the files that are in none. */
const findAll = (reached: ReadonlyMap<string, Reached>): ReadonlyArray<readonly [string, ReadonlyArray<Found>]> => {
  const inParts = new Set(parts.flatMap(([, files]) => files))
  const sites = errorSites(textOf("src/services/DatabaseError.ts"))
  const of = (files: ReadonlyArray<string>, find: (one: Reached) => ReadonlyArray<Unreached>) =>
    files.flatMap((file) => find(reached.get(file)!).map((branch) => ({ file, branch })))
  const rest = sources.filter((file) => !inParts.has(file))
  return [
    ...parts.map(([part, files]) => [part, of(files, (one) => one.unreached())] as const),
    ["errors of other files", of(rest, (one) => one.unreachedOf(sites))]
  ]
}

/** Whether all is reached or has a reason. */
const report = (reached: ReadonlyMap<string, Reached>): boolean => {
  const used = new Set<object>()
  let without = 0
  for (const [part, found] of findAll(reached)) {
    console.log(`${part}: ${found.length} unreached`)
    for (const { branch, file } of found) {
      const { code, line } = branch
      const reason = reasons.find((one) => one.file === file && one.code === code)
      if (reason === undefined) without += 1
      else used.add(reason)
      console.log(`  ${file}:${line} ${code}\n      ${reason === undefined ? "NO REASON" : reason.why}`)
    }
  }
  const idle = reasons.filter((reason) => !used.has(reason))
  for (const { code, file } of idle) console.log(`a reason without its branch: ${file} ${code}`)
  console.log(`${without} branches unreached without a reason, ${used.size} reasons`)
  return without === 0 && idle.length === 0
}

const directory = values.read ?? values.keep ?? mkdtempSync(join(tmpdir(), "strata-coverage-"))
const code = values.read === undefined ? await runTests(directory) : 0
const isReached = report(learn(directory))
if (values.read === undefined && values.keep === undefined) rmSync(directory, { recursive: true, force: true })
if (code !== 0 || (!isReached && !values.only)) process.exitCode = 1
