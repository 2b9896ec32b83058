// Programs of tests as JavaScript, which start in a third of the time that their sources take.
import { mkdirSync, mkdtempSync, renameSync, rmSync, existsSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { bundleWorker } from "../../scripts/bundleWorker.ts"
import { bundle } from "./bundle.ts"

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
  await bundle(made, [source])
  mkdirSync(join(root, "programs"), { recursive: true })
  renameSync(join(made, name), program)
  return { program, remove }
}

/** The program, made when it is asked for first, and removed when the process exits. */
export const programOnce = (make: () => ReturnType<typeof bundledProgram>): (() => Promise<string>) => {
  let made: Promise<string> | undefined
  return () => {
    made ??= make().then(({ program, remove }) => {
      process.once("exit", remove)
      return program
    })
    return made
  }
}
