// A writer that is meant to be killed: opens the directory, commits from several fibers as fast as it can, and prints
// one line for each acknowledged commit.
//
//   open <commits found>     once
//   ack <id> <sequence> <durability>
//
// Each commit has an id that is never used again, a marker under it, and the same id under one to four further keys: so
// whoever looks later can tell a lost commit from a partial one, and can order them by the markers' sequences. With a
// fourth argument the database is encrypted.
import { writeSync } from "node:fs"
import { Context, Effect, Layer } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import { Database, type Operation } from "../../src/services/Database.ts"
import { sealedBy } from "./nonceLedger.ts"
import { Dice } from "./randomPlan.ts"

const [directory = "", seed = "1", run = "0", sealed] = process.argv.slice(2)
const dice = new Dice(Number(seed))
const writers = 8

const say = (line: string): void => {
  writeSync(1, `${line}\n`)
}

const operations = (id: string): Array<Operation> => {
  const many = 1 + dice.below(4)
  const value = `${id}/${many}/`.padEnd(dice.pick([10, 100, 3000]), "x")
  const keys = Array.from({ length: many }, (_, index) => `data/${id}/${index}`)
  // Long enough now and then to go to a file before the commit; those of 3,000 go to one when they are flushed.
  const first = dice.chance(3) ? value.padEnd(300_000, "y") : value
  return [`commit/${id}`, `shared/${dice.below(20)}`, ...keys].map((key) => ({
    type: "set",
    key,
    value: key === keys[0] ? first : value
  }))
}

const program = Effect.gen(function* () {
  const context = yield* Layer.build(
    LsmDatabase.layer({
      directory,
      arenaBytes: 64 * 1024,
      flushDelayMillis: 1,
      sequencesReserved: 1000,
      encryption: sealed === undefined ? undefined : sealedBy()
    })
  )
  const database = Context.get(context, Database)
  say(`open ${yield* database.count({ prefix: "commit/" })}`)
  const write = (writer: number) =>
    Effect.gen(function* () {
      for (let count = 0; ; count++) {
        const id = `${run}-${writer}-${count}`
        const durability = dice.pick(["disk", "os", "os", "buffered"] as const)
        const commit = yield* database.write(operations(id), { durability })
        say(`ack ${id} ${commit.sequence} ${durability}`)
        if (dice.chance(2)) yield* Effect.sleep(1)
        else if (dice.chance(20)) yield* Effect.yieldNow
      }
    })
  yield* Effect.all(
    Array.from({ length: writers }, (_, writer) => write(writer)),
    { concurrency: "unbounded" }
  )
})

await Effect.runPromise(Effect.scoped(program))
