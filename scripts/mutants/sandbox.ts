// A copy of the tree to break, and the tests that must notice.
import { spawn } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import type { Sources } from "./find.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

const copied = ["src", "test", "scripts", "package.json", "tsconfig.json", "vitest.config.ts", "README.md"]

/** What is run against a mutant: the next only if the one before noticed nothing. */
export interface Suite {
  readonly name: string
  readonly command: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
}

export interface Verdict {
  readonly isKilled: boolean
  /** By which suite and test, or why not. */
  readonly by: string
  readonly seconds: number
}

const vitest = (...files: ReadonlyArray<string>): ReadonlyArray<string> => [
  "node_modules/vitest/vitest.mjs",
  "run",
  "--bail",
  "1",
  "--maxWorkers",
  "1",
  "--reporter",
  "tap-flat",
  ...files
]

const suite = (name: string, command: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}): Suite => ({
  name,
  command,
  env
})

export const imagesMax = 2000

/** The crash images as a program: it prints how many it took. */
export const imagesSuite = suite("images", ["scripts/mutants/images.ts", String(imagesMax)])

/** What readers saw before power cuts. */
export const readersSuite = suite("readers", vitest("test/visibility.test.ts"))

const formats = suite("formats", vitest("test/internal/format"))
const layers = suite(
  "layers",
  vitest(
    "test/internal/engine",
    "test/layers/FileManifest.test.ts",
    "test/layers/FileWal.test.ts",
    "test/layers/FileSsTable.test.ts",
    "test/layers/InlineJobs.test.ts",
    "test/layers/FileManifestCrash.test.ts",
    "test/layers/FileWalCrash.test.ts"
  )
)
export const disks = suite(
  "disks",
  vitest("test/layers/NodeDiskFaults.test.ts", "test/layers/NodeDisk.test.ts", "test/layers/SimDisk.test.ts")
)
const locks = suite(
  "locks",
  vitest(
    "test/layers/NodeDiskFaults.test.ts",
    "test/layers/NodeDirectoryLock.test.ts",
    "test/layers/LsmDatabase.test.ts"
  )
)
const faults = suite("faults", vitest("test/faults.test.ts"), { STRATA_FAULTS: "6" })
const scenarios = suite("scenarios", vitest("test/damage.test.ts", "test/scenarios.test.ts"))
const badInput = suite("bad input", vitest("test/badInput.test.ts", "test/expiry.test.ts"))
const values = suite(
  "values",
  vitest(
    "test/layers/FileValueLog.test.ts",
    "test/valueDamage.test.ts",
    "test/valueLogFiles.test.ts",
    "test/valueLogRegressions.test.ts",
    "test/directValueFailures.test.ts",
    "test/collectedReads.test.ts"
  )
)
const sealed = suite(
  "sealed",
  vitest(
    "test/layers/AeadEncryption",
    "test/sealedFiles.test.ts",
    "test/sealedCrash.test.ts",
    "test/tamperedFiles.test.ts",
    "test/tamperedKeyrings.test.ts"
  )
)
const areas: ReadonlyArray<readonly [file: RegExp, suite: Suite]> = [
  [/value|collect|livePlaces|ballast/i, values],
  [/key(?!Index|Order|Range|Span)|seal|aead|cipher|fileHeader|marker|stateFiles/i, sealed],
  [/^src\/internal\/format\//, formats]
]

const layerTests: ReadonlyArray<readonly [file: RegExp, test: string]> = [
  [/engine\/(?:log|segment)/, "test/layers/FileWal.test.ts"],
  [/engine\/(?:manifest|state|open|directory|own)/, "test/layers/FileManifest.test.ts"],
  [/engine\/checkpoint/, "test/checkpointCrash.test.ts"],
  [/structure\/tableFacts/, "test/internal/structure/tableOpening.test.ts"],
  [/engine\/table|structure\/table/, "test/layers/FileSsTable.test.ts"],
  [/structure\/value/, "test/internal/structure/valueFileOpening.test.ts"],
  [/engine\/(?:recovery|commit|flusher)/, "test/layers/LsmDatabase.test.ts"],
  [/structure\/memtable/, "test/layers/MemoryDatabase.test.ts"]
]

/** The tests that mirror a source, those that import it, and those of the layer that it is part of. */
const ownTests = (file: string): ReadonlyArray<Suite> => {
  const mirror = file.replace(/^src\//, "test/").replace(/\.ts$/, ".test.ts")
  const layer = layerTests.find(([pattern]) => pattern.test(file))?.[1]
  const tests = [mirror, ...importers(file), layer].filter((test) => test !== undefined)
  const present = [...new Set(tests)].filter((test) => existsSync(join(root, test)))
  return present.length === 0 ? [] : [suite("its own tests", vitest(...present))]
}

const testFiles = (): ReadonlyArray<string> =>
  readdirSync(join(root, "test"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()

/** The tests that name a source in an import. */
const importers = (file: string): ReadonlyArray<string> =>
  testFiles().filter((test) => {
    const from = relative(join(root, dirname(test)), join(root, file)).replaceAll("\\", "/")
    return readFileSync(join(root, test), "utf8").includes(`"${from}"`)
  })

/** The likeliest to notice first; whoever survives all has met all that could. `near`: only those. */
export const suitesFor = (kind: string, file: string, isNear: boolean): ReadonlyArray<Suite> => {
  if (kind === "lock") return [locks, badInput]
  if (/layers\/(?:Node|Sim)/.test(file)) return [disks, faults]
  const first = kind === "check" ? [] : [kind === "poison" ? faults : imagesSuite]
  const near = areas.filter(([pattern]) => pattern.test(file)).map(([, suite]) => suite)
  const far = isNear ? [] : [scenarios, badInput, imagesSuite, faults, values, sealed, layers]
  return [...new Set([...first, ...ownTests(file), ...near, ...far])]
}

export const allSuites = [formats, layers, disks, locks, imagesSuite, badInput, scenarios, faults, values, sealed]

/** The files of `src`, by their paths from the root. */
export const readSources = (): Sources => {
  const names = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
  return new Map(
    names
      .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .sort()
      .map((file) => [file, readFileSync(join(root, file), "utf8")])
  )
}

export class Sandbox {
  readonly directory = mkdtempSync(join(tmpdir(), "strata-mutants-"))

  constructor() {
    for (const name of copied) cpSync(join(root, name), join(this.directory, name), { recursive: true })
    symlinkSync(join(root, "node_modules"), join(this.directory, "node_modules"))
  }

  /** Runs the suites on the sources with these files changed, until one notices, and puts the files back. */
  async try(
    files: ReadonlyMap<string, string>,
    options: {
      readonly suites: ReadonlyArray<Suite>
      readonly limits: ReadonlyMap<string, number>
      readonly sources: Sources
    }
  ): Promise<Verdict> {
    const startedAt = performance.now()
    const seconds = () => (performance.now() - startedAt) / 1000
    return this.with(files, options.sources, async () => {
      for (const one of options.suites) {
        const { code, output } = await this.run(one, options.limits.get(one.name) ?? 600)
        if (code === undefined) return { isKilled: true, by: `${one.name}: does not end`, seconds: seconds() }
        if (code !== 0) return { isKilled: true, by: `${one.name}: ${culprit(output)}`, seconds: seconds() }
      }
      return { isKilled: false, by: "nothing noticed", seconds: seconds() }
    })
  }

  /** Does something while these files are changed, and puts them back. */
  async with<A>(files: ReadonlyMap<string, string>, sources: Sources, body: () => Promise<A>): Promise<A> {
    for (const [file, text] of files) writeFileSync(join(this.directory, file), text)
    try {
      return await body()
    } finally {
      for (const file of files.keys()) writeFileSync(join(this.directory, file), sources.get(file)!)
    }
  }

  /** `code` undefined: the time was up. */
  run(one: Suite, limitSeconds: number): Promise<{ readonly code: number | undefined; readonly output: string }> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [...one.command], {
        cwd: this.directory,
        env: { ...process.env, ...one.env },
        stdio: ["ignore", "pipe", "pipe"],
        // A group of its own, so that what it starts ends with it.
        detached: true
      })
      let output = ""
      let late = false
      const timer = setTimeout(() => {
        late = true
        process.kill(-child.pid!, "SIGKILL")
      }, limitSeconds * 1000)
      const collect = (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-100_000)
      }
      child.stdout.on("data", collect)
      child.stderr.on("data", collect)
      child.on("error", reject)
      child.on("close", (code) => {
        clearTimeout(timer)
        resolve({ code: late ? undefined : (code ?? 1), output })
      })
    })
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Which test failed first, or what a program said last. */
export const culprit = (output: string): string => {
  // Tests that were not run any more are "not ok" too, but nothing is said of them.
  const failing = /^not ok \d+ - (.+?)(?: # time=.*)?\n +---/m.exec(output)?.[1]
  const images = /^(?:after|the run) .+$/m.exec(output)?.[0]
  return (failing ?? images ?? output.trim().split("\n").at(-1) ?? "").slice(0, 140)
}
