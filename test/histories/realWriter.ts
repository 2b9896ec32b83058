// Clients in a process of their own, on the real disk with worker threads, which may be killed at any moment. Writes
// one line of JSON to a file for each thing that it says, before it goes on:
//
//   {"type":"found",…}   once it is open: the markers that are there
//   events               as in events.ts
//   {"type":"look",…}    at the end, if that is the task: everything that is there
//
// and a line to its output when it has written as many as the task says: somebody may wait for it.
import { openSync, writeSync } from "node:fs"
import { Context, Effect, Layer } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import { Database } from "../../src/services/Database.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"
import { sealedBy } from "../support/nonceLedger.ts"
import { quiet } from "../support/opened.ts"
import { Dice } from "../support/randomPlan.ts"
import { Recorder } from "./events.ts"
import type { Line, RealTask } from "./realLines.ts"
import { contentsOf, foundIn, work } from "./workload.ts"

const task = JSON.parse(process.argv[2]!) as RealTask

const file = openSync(task.lines, "a")
let said = 0

const say = (line: Line): void => {
  writeSync(file, `${JSON.stringify(line)}\n`)
  said += 1
  if (said === task.signalAfter) writeSync(1, "now\n")
}

const program = Effect.gen(function* () {
  const context = yield* Layer.build(
    LsmDatabase.layer({
      ...task.options,
      directory: task.directory,
      encryption: task.encrypted ? sealedBy() : undefined
    })
  )
  const [database, maintenance] = [Context.get(context, Database), Context.get(context, Maintenance)]
  say({ type: "found", markers: [...(yield* foundIn(database))] })
  const dice = (client: number) => new Dice(task.seed + client)
  if (task.load === undefined) {
    const { damage } = yield* maintenance.verify
    say({
      type: "look",
      operations: yield* contentsOf(database, dice(0)),
      damage: damage.map(({ message }) => message)
    })
    return
  }
  const recorder = new Recorder(task.firstId, say)
  yield* work({ database, maintenance }, { load: { ...task.load, recorder }, dice })
})

await Effect.runPromise(quiet(Effect.scoped(program)))
