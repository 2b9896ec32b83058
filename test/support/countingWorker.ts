// The worker's program, with a report of every (key, nonce) that it seals with: a file for each thread, in the
// directory `reports` beside the program's own. A thread that is killed has written down what it did.
import { openSync, writeSync } from "node:fs"
import { threadId } from "node:worker_threads"
import { aesGcm } from "../../src/internal/format/cipher.ts"
import { keyNameOf } from "./keyName.ts"

const report = openSync(new URL(`../reports/${threadId}.nonces`, import.meta.url), "a")
const { encrypt } = aesGcm
Object.assign(aesGcm, {
  encrypt: (...[key, message]: Parameters<typeof encrypt>) => {
    writeSync(report, Buffer.concat([keyNameOf(key), message.nonce]))
    return encrypt(key, message)
  }
} satisfies Partial<typeof aesGcm>)
await import("../../src/programs/jobWorker.ts")
