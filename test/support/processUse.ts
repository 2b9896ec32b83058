// What the process itself has open and keeps in memory: what is left behind shows there.
import { readdirSync } from "node:fs"
import { setImmediate } from "node:timers/promises"

/** Timers and other handles by kind, without what the process itself has open for its output. */
export const resources = () => {
  const kinds = process.getActiveResourcesInfo().filter((kind) => !/^(?:PipeWrap|TTYWrap|FSReqPromise)$/.test(kind))
  return {
    descriptors: readdirSync("/proc/self/fd").length,
    threads: readdirSync("/proc/self/task").length,
    handles: kinds.sort().join(" ")
  }
}

/** With the buffers outside of the heap: an arena that is kept has few bytes in it. Needs `--expose-gc`. */
export const memoryBytes = async (): Promise<number> => {
  // What is finalized in one round frees more in the next.
  for (let round = 0; round < 3; round++) {
    globalThis.gc!()
    await setImmediate()
  }
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}
