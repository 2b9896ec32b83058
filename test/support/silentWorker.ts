// A worker that takes a job and is not heard of again.
import { parentPort } from "node:worker_threads"

parentPort!.on("message", () => {
  for (;;);
})
parentPort!.postMessage({ _tag: "Ready" })
