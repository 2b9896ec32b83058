// Threads that are ended while they are in a codec would take the whole process with them (threadGate.ts).
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { rolldown } from "rolldown"
import { output } from "./support/installedPackage.ts"

/** Without the gate one of a hundred ended the process when this was written. */
const endings = 200

describe("threads", () => {
  let root = ""
  const run = (...args: ReadonlyArray<string>): Promise<string> =>
    output(process.execPath, { args: [path.join(root, "endedThreads.js"), ...args], cwd: root })

  // As JavaScript: what strips types is WebAssembly, with which threads that are ended have troubles of their own.
  beforeAll(async () => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), "strata-endings-"))
    const sources = ["endedThreads", "compressingWorker", "steppingWorker"]
    const bundle = await rolldown({
      input: Object.fromEntries(
        sources.map((name) => [name, fileURLToPath(new URL(`support/${name}.ts`, import.meta.url))])
      ),
      external: (id) => id.startsWith("node:"),
      platform: "node",
      treeshake: false
    })
    await bundle.write({ dir: root })
  }, 60_000)
  afterAll(() => fs.rmSync(root, { recursive: true, force: true }))

  it(
    `are ended ${endings} times while they compress, and the process goes on`,
    () => run("./compressingWorker.js", `${endings}`, "closing"),
    120_000
  )

  it("end no step halfway when they are told to end", async () => {
    assert.match(await run("./steppingWorker.js", "10", "closing"), /^(in out )+$/)
  })

  it("end no step halfway when the process exits", async () => {
    const printed = await Promise.all(Array.from({ length: 4 }, () => run("./steppingWorker.js", "2", "exiting")))
    for (const steps of printed) assert.match(steps, /^(in out )+$/)
  })
})
