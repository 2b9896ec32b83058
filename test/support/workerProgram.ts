// Before all tests: the worker's program as one file of JavaScript, which `useWorkerProgram.ts` gives to the layer.
//
// From its sources a worker would strip their types, which Node does by WebAssembly, in every thread anew: it takes 200
// to 900 ms on a busy machine where the file takes 40, and now and then ends the whole process with V8's `Check failed:
// jit_page.has_value()` (several threads that load and drop WebAssembly; nodejs/node#64500). That a worker also runs
// from its sources is a test of its own.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { TestProject } from "vitest/node"
import { bundleWorker } from "../../scripts/bundleWorker.ts"

declare module "vitest" {
  export interface ProvidedContext {
    readonly workerProgram: string
  }
}

export const setup = async (project: TestProject): Promise<() => void> => {
  const directory = mkdtempSync(join(tmpdir(), "strata-worker-"))
  await bundleWorker(directory)
  project.provide("workerProgram", pathToFileURL(join(directory, "programs/jobWorker.js")).href)
  return () => rmSync(directory, { recursive: true, force: true })
}
