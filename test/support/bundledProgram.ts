// Programs of tests as JavaScript, which start in a third of the time that their sources take.
import { mkdirSync, mkdtempSync, renameSync, rmSync, existsSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"
import { bundleWorker } from "../../scripts/bundleWorker.ts"

/** By `package.json` no source has side effects: of a program that has nothing but those, all would be left out. */
const write = async (source: URL, directory: string): Promise<void> => {
  const bundle = await rolldown({
    input: { [basename(source.pathname, ".ts")]: fileURLToPath(source) },
    external: (id) => id.startsWith("node:"),
    platform: "node",
    treeshake: { moduleSideEffects: (id) => id === fileURLToPath(source) }
  })
  await bundle.write({ dir: directory })
}

/**
 * The program as one file, with that of worker threads where it looks for it. Under `STRATA_PROGRAMS`, where a torture
 * keeps its programs, it is made once.
 */
export const bundledProgram = async (
  source: URL
): Promise<{ readonly program: string; readonly remove: () => void }> => {
  const kept = process.env.STRATA_PROGRAMS
  const root = kept ?? mkdtempSync(join(tmpdir(), "strata-programs-"))
  const remove = () => (kept === undefined ? rmSync(root, { recursive: true, force: true }) : undefined)
  const name = `${basename(source.pathname, ".ts")}.js`
  const program = join(root, "programs", name)
  if (existsSync(program)) return { program, remove }
  if (kept === undefined) await bundleWorker(root)
  const made = mkdtempSync(join(root, "making-"))
  await write(source, made)
  mkdirSync(join(root, "programs"), { recursive: true })
  renameSync(join(made, name), program)
  return { program, remove }
}
