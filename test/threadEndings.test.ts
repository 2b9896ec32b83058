// Threads that are ended while they are in a codec would take the whole process with them (threadGate.ts).
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { JobThread } from "../src/layers/NodeJobThread.ts"
import { bundle } from "./support/bundle.ts"
import { output } from "./support/installedPackage.ts"

/** Without the gate one of a hundred ended the process when this was written. */
const endings = 200

describe("threads", () => {
  let root = ""
  const run = (...args: ReadonlyArray<string>): Promise<string> =>
    output(process.execPath, { args: [path.join(root, "endedThreads.js"), ...args], cwd: root })

  beforeAll(async () => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), "strata-endings-"))
    const programs = ["endedThreads", "compressingWorker", "steppingWorker"]
    await bundle(
      root,
      programs.map((name) => new URL(`./support/${name}.ts`, import.meta.url))
    )
  }, 60_000)
  afterAll(() => fs.rmSync(root, { recursive: true, force: true }))

  it(
    `are ended ${endings} times while they compress, and the process goes on`,
    () => run("./compressingWorker.js", `${endings}`, "closing"),
    120_000
  )

  it.effect("are ended though the clock stands still", () =>
    Effect.gen(function* () {
      const worker = pathToFileURL(path.join(root, "compressingWorker.js"))
      for (let ending = 0; ending < 5; ending++) {
        const thread = new JobThread(worker, () => {})
        yield* Effect.callback<void>((resume) => void thread.worker.once("message", () => resume(Effect.void)))
        yield* thread.terminate("its time has come")
        yield* Deferred.await(thread.exited)
      }
    })
  )

  it("end no step halfway when they are told to end", async () => {
    assert.match(await run("./steppingWorker.js", "10", "closing"), /^(in out )+$/)
  })

  it("end no step halfway when the process exits", async () => {
    const printed = await Promise.all(Array.from({ length: 4 }, () => run("./steppingWorker.js", "2", "exiting")))
    for (const steps of printed) assert.match(steps, /^(in out )+$/)
  })
})
