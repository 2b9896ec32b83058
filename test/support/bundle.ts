// Programs of the tests' own as files of JavaScript, with all that they import: what runs as a user's process does has
// nothing in it that strips types, which costs time and memory, and troubles threads that are ended (workerProgram.ts).
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"

/** A program that another one runs by importing it. */
const jobWorker = new URL("../../src/programs/jobWorker.ts", import.meta.url)

/** Writes `<name>.js` into the directory for each `<name>.ts`. */
export const bundle = async (directory: string, sources: ReadonlyArray<URL>): Promise<void> => {
  const programs = new Set([...sources, jobWorker].map((source) => fileURLToPath(source)))
  const made = await rolldown({
    input: Object.fromEntries(sources.map((source) => [basename(source.pathname, ".ts"), fileURLToPath(source)])),
    external: (id) => id.startsWith("node:"),
    platform: "node",
    // By `package.json` no source has side effects: of a program all would be left out.
    treeshake: { moduleSideEffects: (id) => programs.has(id) }
  })
  await made.write({ dir: directory })
}
