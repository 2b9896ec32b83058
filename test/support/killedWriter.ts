// A writer that is meant to be killed: opens the directory, commits from several fibers as fast as it can, and prints
// one line for each acknowledged commit.
//
//   open <commits found>              once
//   ack <id> <sequence> <durability>
//   synced <sequence>                 all commits up to this one are on disk
//
// Each commit has an id that is never used again (`killedCommits.ts`): so whoever looks later can tell a lost commit
// from a partial one, and can order them by their markers' sequences. With a fourth argument the database is encrypted.
import { writeSync } from "node:fs"
import { Context, Effect, Layer } from "effect"
import * as Clock from "effect/Clock"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import { Database } from "../../src/services/Database.ts"
import { operationsOf } from "./killedCommits.ts"
import { sealedBy } from "./nonceLedger.ts"
import { Dice } from "./randomPlan.ts"

const [directory = "", seed = "1", run = "0", sealed] = process.argv.slice(2)
const dice = new Dice(Number(seed))
const writers = 8

const say = (line: string): void => {
  writeSync(1, `${line}\n`)
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
        const id = `${run}.${seed}-${writer}-${count}`
        const durability = dice.pick(["disk", "os", "os", "buffered"] as const)
        const commit = yield* database.write(operationsOf(id, yield* Clock.currentTimeMillis), { durability })
        say(`ack ${id} ${commit.sequence} ${durability}`)
        if (dice.chance(2)) say(`synced ${yield* database.sync}`)
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
