// Strata as a user gets it: packed, and installed into an empty project beside `effect` and `@effect/platform-node`.
// Works without a network: what Strata depends on is packed from this repository's `node_modules`, and the peers are
// links into it.
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

export const root = fileURLToPath(new URL("../../", import.meta.url))

const linked = ["effect", "@effect/platform-node", "@types/node"]

interface Manifest {
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
}

const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))

export const version = manifestOf(root).version

const run = promisify(execFile)

/** Runs a program and returns what it printed; the error of one that fails has both outputs in its message. */
export const output = async (
  program: string,
  options: { args: ReadonlyArray<string>; cwd: string; env?: NodeJS.ProcessEnv }
): Promise<string> => {
  const { cwd, env } = options
  try {
    return (await run(program, options.args, env === undefined ? { cwd } : { cwd, env })).stdout
  } catch (error) {
    const { stderr, stdout } = error as { readonly stderr?: string; readonly stdout?: string }
    throw new Error(`${program} ${options.args.join(" ")}\n${stdout ?? ""}${stderr ?? ""}`, { cause: error })
  }
}

const installed = (name: string): string => join(root, "node_modules", name)

/** The folders of everything that Strata itself brings along. */
const dependencyFolders = (): ReadonlyArray<string> => {
  const found = new Set<string>()
  const visit = (folder: string): void => {
    for (const name of Object.keys(manifestOf(folder).dependencies ?? {})) {
      const nested = join(folder, "node_modules", name)
      const dependency = existsSync(nested) ? nested : installed(name)
      if (found.has(dependency)) continue
      found.add(dependency)
      visit(dependency)
    }
  }
  visit(root)
  return [...found]
}

interface Packed {
  readonly name: string
  readonly filename: string
  readonly files: ReadonlyArray<{ readonly path: string }>
}

const pack = async (folders: ReadonlyArray<string>, destination: string): Promise<ReadonlyArray<Packed>> => {
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", destination, ...folders]
  return JSON.parse(await output("npm", { args, cwd: root }))
}

export interface Project {
  readonly folder: string
  /** What is in the package. */
  readonly files: ReadonlyArray<string>
  readonly write: (name: string, text: string) => void
  readonly remove: () => void
}

const install = async (folder: string): Promise<ReadonlyArray<string>> => {
  await output("npm", { args: ["run", "build"], cwd: root })
  const [strata, ...dependencies] = await pack([root, ...dependencyFolders()], folder)
  const specifier = ({ filename }: Packed): string => `file:${join(folder, filename)}`
  const manifest = {
    type: "module",
    dependencies: { [strata!.name]: specifier(strata!) },
    overrides: Object.fromEntries(dependencies.map((packed) => [packed.name, specifier(packed)]))
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest))
  const flags = ["--offline", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"]
  await output("npm", { args: ["install", ...flags], cwd: folder })
  for (const name of linked) {
    mkdirSync(dirname(join(folder, "node_modules", name)), { recursive: true })
    symlinkSync(installed(name), join(folder, "node_modules", name))
  }
  return strata!.files.map(({ path }) => path)
}

export const installPackage = async (): Promise<Project> => {
  const folder = mkdtempSync(join(tmpdir(), "strata-pack-"))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    const files = await install(folder)
    return { folder, files, remove, write: (name, text) => writeFileSync(join(folder, name), text) }
  } catch (error) {
    remove()
    throw error
  }
}
