// A worker that is inside of its gate nearly always, and prints each step that it has begun and ended there.
import { writeSync } from "node:fs"
import { parentPort, workerData } from "node:worker_threads"
import { ThreadWord } from "../../src/internal/structure/jobMessages.ts"
import { ThreadGate } from "../../src/internal/structure/threadGate.ts"

const stepMillis = 20
const gate = new ThreadGate(workerData as Int32Array, ThreadWord.gate)
const clock = new Int32Array(new SharedArrayBuffer(4))

for (;;) {
  gate.inside(() => {
    writeSync(1, "in ")
    parentPort!.postMessage("begun")
    Atomics.wait(clock, 0, 0, stepMillis)
    writeSync(1, "out ")
  })
}
