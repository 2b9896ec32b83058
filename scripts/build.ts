// Makes `dist/` from `src/`: JavaScript with source maps, and declarations, one for each source.
//
// The library's JavaScript is one chunk behind an entry of a line for each module that users may import. Node takes
// about half a millisecond to find, read and link a file: as 115 files `import("effect-strata")` took 1.43 times the
// time of the Effect modules that it uses, as one it takes 1.2. The simulation is a chunk of its own: who does not test
// with it does not load it.
import { spawnSync } from "node:child_process"
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"
import { bundleWorker } from "./bundleWorker.ts"

const inRoot = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

const shebang = "#!/usr/bin/env node\n"
const startedAt = performance.now()

// What is no longer in src must not stay in dist.
rmSync(inRoot("dist"), { recursive: true, force: true })

const compiler = inRoot("node_modules/typescript/bin/tsc")
const { error, status } = spawnSync(process.execPath, [compiler, "-p", inRoot("tsconfig.build.json")], {
  stdio: "inherit"
})
if (error !== undefined) throw error
if (status !== 0) process.exit(status ?? 1)

const modulesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(inRoot(`src/${folder}`)).map((file) => `${folder}/${file.replace(/\.ts$/, "")}`)

const entries = ["index", ...modulesIn("services"), ...modulesIn("layers"), "programs/strata"]
const { dependencies, peerDependencies } = JSON.parse(readFileSync(inRoot("package.json"), "utf8")) as {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}
const packages = [...Object.keys(dependencies), ...Object.keys(peerDependencies)]

const inLibrary = /\/src\/(?:services|layers|internal)\//
const inSimulation = /\/src\/(?:layers\/Sim|internal\/structure\/(?:simulatedFiles|crashOutcome)\.)/

const bundle = await rolldown({
  input: Object.fromEntries(entries.map((entry) => [entry, inRoot(`src/${entry}.ts`)])),
  external: (id) => id.startsWith("node:") || packages.some((name) => id === name || id.startsWith(`${name}/`)),
  platform: "node"
})
await bundle.write({
  dir: inRoot("dist"),
  sourcemap: true,
  chunkFileNames: "chunks/[name].js",
  codeSplitting: {
    groups: [
      // A group takes along whatever its modules import: the simulation comes last, for it imports the rest.
      { name: "strata", priority: 1, test: (id) => inLibrary.test(id) && !inSimulation.test(id) },
      { name: "simulation", test: inSimulation }
    ]
  }
})

// A worker loads no more than it needs: its program is one file of its own, without Effect.
await bundleWorker(inRoot("dist"))

// npm links a `bin` as it is.
const commandLine = inRoot("dist/programs/strata.js")
writeFileSync(commandLine, shebang + readFileSync(commandLine, "utf8").replace(shebang, ""))
chmodSync(commandLine, 0o755)

console.log(`built dist in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
