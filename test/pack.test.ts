import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { installPackage, output, type Project, root, version } from "./support/installedPackage.ts"

// How a user compiles: strictly, and reading our declarations too (Effect's own need the DOM's types).
const strict = {
  compilerOptions: {
    target: "ES2024",
    module: "NodeNext",
    lib: ["ES2024", "DOM", "DOM.Iterable"],
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    skipLibCheck: false,
    noEmit: true
  },
  include: ["*.ts"]
}

const subpaths = `
import * as Layer from "effect/Layer"
import * as Database from "effect-strata/services/Database"
import * as LsmDatabase from "effect-strata/layers/LsmDatabase"

const layer: Layer.Layer<Database.Database, unknown> = LsmDatabase.layer({ directory: "./data", durability: "os" })
console.log(Layer.isLayer(layer), Database.Database.key)
`

const simulation = `
import { Effect, Layer } from "effect"
import { Database, MemoryDisk } from "effect-strata"
import { SimClock } from "effect-strata/layers/SimClock"
import * as SimDatabase from "effect-strata/layers/SimDatabase"
import * as SimDisk from "effect-strata/layers/SimDisk"
import type { DeviceRule } from "effect-strata/layers/SimFaults"
import * as SimScheduler from "effect-strata/layers/SimScheduler"

const faults: ReadonlyArray<DeviceRule> = [{ operation: "sync", sticky: true, delayMillis: [1000, 30_000] }]
const clock = new SimClock()
const device = SimDisk.make({ faults, clock })
const program = Effect.gen(function* () {
  const db = yield* Database.Database
  yield* db.set("disk", "1")
  yield* db.set("os", "1", { durability: "os" })
  return device.powerCut(0, 1)
})
const run = <A, E>(body: Effect.Effect<A, E, Database.Database>, disk: SimDisk.SimDisk["layer"]) =>
  SimScheduler.run(Effect.provide(body, SimDatabase.layer(disk)), { seed: 1, clock })
const cut = run(program, device.layer)
if (cut._tag === "Failure") throw new Error(String(cut.cause))
const found = run(Effect.flatMap(Database.Database, (db) => db.count()), MemoryDisk.fromImage(cut.value).layer)
console.log(found._tag === "Success" && found.value, SimDisk.outcomes.length, device.strikes.length > 0)
console.log(Layer.isLayer(device.layer), clock.monotonicTimeNanosUnsafe() > 1_000_000_000n)
`

const internals = `
const closed = await import("effect-strata/internal/format/varint").then(() => "open", (error) => error.code)
console.log(closed)
`

const threads = `
import * as Effect from "effect/Effect"
import * as Database from "effect-strata/services/Database"
import * as Maintenance from "effect-strata/services/Maintenance"
import * as LsmDatabase from "effect-strata/layers/LsmDatabase"

const events = []
process.on("worker", (worker) => {
  events.push("started")
  worker.on("message", ({ _tag }) => events.push(_tag))
})
const program = Effect.gen(function* () {
  yield* (yield* Database.Database).set("key", "value")
  yield* (yield* Maintenance.Maintenance).flush
})
await Effect.runPromise(Effect.provide(program, LsmDatabase.layer({ directory: "./threads", workers: 1 })))
console.log(events.join(" "))
`

const crashSection = "## Crash-test your own code"

/** The same example with a bug: two writes that should be one. */
const withoutTransaction = (example: string): string => {
  const [head, rest] = example.split("  yield* db.transaction((tx) =>\n")
  const body = /^    Effect\.gen\(function\* \(\) \{\n([^]*?)^    \}\)\n  \)\n/m
  return head! + rest!.replace(body, (_, lines: string) => lines.replaceAll("tx.", "db."))
}

const measuredRuns = 7

/** The first fenced block of a language in the README, or in one of its sections. */
const block = (language: string, section = ""): string => {
  const fence = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "m")
  const readme = readFileSync(join(root, "README.md"), "utf8")
  const found = fence.exec(readme.slice(Math.max(0, readme.indexOf(section))))
  assert.isNotNull(found, `the README has no ${language} block`)
  return found![1]!
}

/** The Effect modules that a file of `dist` reaches, by imports of its own and of ours. */
const effectModules = (file: string, seen: Set<string>): Set<string> => {
  if (seen.has(file)) return seen
  seen.add(file)
  for (const [, from] of readFileSync(file, "utf8").matchAll(/^(?:import|export) [^"]*"([^"]+)"/gm)) {
    if (/^\..*\.js$/.test(from!)) effectModules(join(dirname(file), from!), seen)
    else if (from!.startsWith("effect/")) seen.add(from!)
  }
  return seen
}

const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

describe("the package", () => {
  let project: Project
  const node = (...args: ReadonlyArray<string>) => output(process.execPath, { args, cwd: project.folder })

  beforeAll(async () => {
    project = await installPackage()
    project.write("example.ts", block("ts"))
    project.write("crashTest.ts", block("ts", crashSection))
    project.write("crashTestFails.ts", withoutTransaction(block("ts", crashSection)))
    project.write("simulation.ts", simulation)
    project.write("subpaths.ts", subpaths)
    project.write("tsconfig.json", JSON.stringify(strict))
  })
  afterAll(() => project?.remove())

  it("holds dist, src and the words about them", () => {
    const folders = new Set(project.files.map((path) => path.replace(/\/.*/, "/")))
    assert.deepStrictEqual([...folders].sort(), [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "dist/",
      "package.json",
      "src/"
    ])
    assert.include(project.files, "dist/index.js")
    assert.include(project.files, "dist/index.d.ts")
  })

  it("type-checks strictly, with the README's examples", async () => {
    await node(join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.json")
  })

  it("runs the README's first example", async () => {
    assert.strictEqual(await node("example.ts"), block("text"))
    // And again, on the database of the first run.
    assert.strictEqual(await node("example.ts"), block("text"))
  })

  it("crash-tests an application, as the README does", async () => {
    assert.strictEqual(await node("crashTest.ts"), block("text", crashSection))
    const failure = await node("crashTestFails.ts").catch(String)
    assert.match(failure, /after a power cut behind call \d+ .*: stock and orders differ/)
    const [, replay] = /STRATA_REPLAY=(\d+:\d+:\d+:[0-9a-f]{8}) and the same command/.exec(failure) ?? []
    assert.isDefined(replay)
    const env = { ...process.env, STRATA_REPLAY: replay }
    const again = await output(process.execPath, { args: ["crashTestFails.ts"], cwd: project.folder, env }).catch(
      String
    )
    assert.include(again, `STRATA_REPLAY=${replay}`)
  })

  it("gives the parts of the simulation", async () => {
    assert.include(await node("simulation.ts"), "1 21 true\ntrue true\n")
  })

  it("loads the simulation only for who imports it", async () => {
    const dist = join(project.folder, "node_modules/effect-strata/dist")
    assert.isTrue(existsSync(join(dist, "chunks/simulation.js")))
    for (const file of ["index.js", "chunks/strata.js"]) {
      assert.notInclude(readFileSync(join(dist, file), "utf8"), "simulation.js", file)
    }
  })

  it("opens services and layers by path, and no internals", async () => {
    assert.strictEqual(await node("subpaths.ts"), "true strata/Database\n")
    project.write("internals.js", internals)
    assert.strictEqual(await node("internals.js"), "ERR_PACKAGE_PATH_NOT_EXPORTED\n")
  })

  it("runs jobs in a thread", async () => {
    project.write("threads.js", threads)
    assert.strictEqual(await node("threads.js"), "started Ready Done\n")
  })

  it("brings the command line", async () => {
    const args = ["--version"]
    const cwd = project.folder
    assert.include(await output(join(cwd, "node_modules/.bin/strata"), { args, cwd }), version)
  })

  it("is imported in about the time of the Effect modules that it uses", async () => {
    const barrel = join(project.folder, "node_modules/effect-strata/dist/index.js")
    const modules = [...effectModules(barrel, new Set())].filter((name) => name.startsWith("effect/"))
    assert.include(modules, "effect/Effect")
    const timed = (body: string) => `const start = performance.now()\n${body}\nconsole.log(performance.now() - start)\n`
    project.write("strata.js", timed('await import("effect-strata")'))
    project.write("effect.js", timed(modules.map((name) => `await import("${name}")`).join("\n")))
    const millis = { strata: new Array<number>(), effect: new Array<number>() }
    for (let index = 0; index < measuredRuns; index += 1) {
      millis.effect.push(Number(await node("effect.js")))
      millis.strata.push(Number(await node("strata.js")))
    }
    const [strata, effect] = [median(millis.strata), median(millis.effect)]
    // Measured, not asserted: a test that fails on a busy machine says nothing about the code. The aim is 1.3.
    const ratio = (strata / effect).toFixed(2)
    const milliseconds = `${strata.toFixed(0)} ms, its ${modules.length} modules of Effect: ${effect.toFixed(0)} ms`
    console.log(`import("effect-strata"): ${milliseconds}, ratio ${ratio}`)
  })
})
