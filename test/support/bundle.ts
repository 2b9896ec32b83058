// Programs of the tests' own as files of JavaScript, with all that they import: what runs as a user's process does has
// nothing in it that strips types, which costs time and memory, and troubles threads that are ended (workerProgram.ts).
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"

/** Writes `<name>.js` into the directory for each `test/support/<name>.ts`. */
export const bundle = async (directory: string, names: ReadonlyArray<string>): Promise<void> => {
  const made = await rolldown({
    input: Object.fromEntries(names.map((name) => [name, fileURLToPath(new URL(`${name}.ts`, import.meta.url))])),
    external: (id) => id.startsWith("node:"),
    platform: "node",
    // By `package.json` no source has side effects: all of a program would be left out of it.
    treeshake: false
  })
  await made.write({ dir: directory })
}
