// How long does `import` of the built package take, and how long that of the modules of Effect which it uses? Each time
// in a process that has loaded nothing.
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Bench, Group, Row } from "./workload.ts"

const root = join(import.meta.dirname, "../..")
const entry = join(root, "dist/index.js")
const turns = 5

const row: Row = {
  id: "import",
  title: () => "import of the package, and of its Effect modules alone",
  unit: "ms",
  includes: "finding, reading and running every module, from the built package",
  leavesOut: "starting Node; a cold disk"
}

/** The modules of Effect that a file of `dist` reaches, by imports of its own and of ours. */
const effectModules = (file: string, seen: Set<string>): ReadonlyArray<string> => {
  if (seen.has(file)) return []
  seen.add(file)
  return [...readFileSync(file, "utf8").matchAll(/^(?:import|export) [^"]*"([^"]+)"/gm)].flatMap(([, from]) => {
    if (/^\..*\.js$/.test(from!)) return effectModules(join(dirname(file), from!), seen)
    return from!.startsWith("effect/") ? [from!] : []
  })
}

/** Milliseconds of one process. */
const timed = (specifiers: ReadonlyArray<string>): number => {
  const imports = specifiers.map((name) => `await import(${JSON.stringify(name)})`).join(";")
  const script = `const start=performance.now();${imports};process.stdout.write(String(performance.now()-start))`
  const { stderr, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: root,
    encoding: "utf8"
  })
  if (stdout === "") throw new Error(stderr)
  return Number(stdout)
}

const phase = ({ record }: Bench): Promise<void> => {
  const modules = [...new Set(effectModules(entry, new Set()))]
  for (let turn = 0; turn < turns; turn++) {
    record({ row: row.id, mode: "its Effect modules", loop: "import", value: timed(modules) })
    record({ row: row.id, mode: "effect-strata", loop: "import", value: timed([pathToFileURL(entry).href]) })
  }
  return Promise.resolve()
}

export const groups: ReadonlyArray<Group> = [
  { name: "import", rows: [row], phases: [phase], engines: ["strata"], roundsMax: 1, built: true }
]
