// The worker's program as one file: with `src/programs/jobWorker.ts` all that it imports, and nothing of Effect.
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"

/** Writes `programs/jobWorker.js`, with a source map, into the directory. */
export const bundleWorker = async (directory: string): Promise<void> => {
  const bundle = await rolldown({
    input: { "programs/jobWorker": fileURLToPath(new URL("../src/programs/jobWorker.ts", import.meta.url)) },
    external: (id) => id.startsWith("node:"),
    platform: "node"
  })
  await bundle.write({ dir: directory, sourcemap: true })
}
