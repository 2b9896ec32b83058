// Makes `dist/` from `src/`: JavaScript, declarations and source maps, one file for one file. The command line gets its
// exec bit, because npm links a `bin` as it is.
import { spawnSync } from "node:child_process"
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

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

const commandLine = inRoot("dist/programs/strata.js")
if (existsSync(commandLine)) {
  const source = readFileSync(commandLine, "utf8")
  if (!source.startsWith("#!")) writeFileSync(commandLine, shebang + source)
  chmodSync(commandLine, 0o755)
}

console.log(`built dist in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
