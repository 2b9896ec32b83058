// A worker that does nothing but compress blocks and decompress them again, as its jobs do it.
import { parentPort, workerData } from "node:worker_threads"
import { CodecId, compressed } from "../../src/internal/format/codec.ts"
import { ThreadWord } from "../../src/internal/structure/jobMessages.ts"
import { ThreadGate } from "../../src/internal/structure/threadGate.ts"
import { WorkerCodecs } from "../../src/programs/workerCodecs.ts"

const plain = new TextEncoder().encode("a block of text ".repeat(1024))
const { builtin } = new WorkerCodecs(new ThreadGate(workerData as Int32Array, ThreadWord.gate))
const codec = builtin.byId(CodecId.zstd)!

parentPort!.postMessage("begun")
for (;;) codec.decompress(compressed(codec, plain)!, plain.length)
