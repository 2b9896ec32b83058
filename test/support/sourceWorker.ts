// A program that runs a job in a worker, both from their sources, and prints what the worker says.
import { Effect } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import { Database } from "../../src/services/Database.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"

const said: Array<string> = []
process.on("worker", (worker) => {
  worker.on("message", ({ _tag }: { readonly _tag: string }) => said.push(_tag))
})
const program = Effect.gen(function* () {
  yield* (yield* Database).set("key", "value")
  yield* (yield* Maintenance).flush
})
await Effect.runPromise(Effect.provide(program, LsmDatabase.layer({ directory: process.argv[2]!, workers: 1 })))
console.log(said.join(" "))
