// A writer that kills itself at one of its device calls, or when it has told of a promise: opens the directory, does
// everything once that a database does (commits in each durability, flushes, compactions, collections, checkpoints,
// rotations, range removals), and closes it. Flushes and the rest run on its own thread, so that it makes its calls in
// nearly the same order each time.
//
//   open <commits found>             once
//   step <name>                      before each step; the last is `close`
//   ack <id> <sequence> <durability>
//   synced <sequence>                all commits up to this one are on disk
//   streamed <id>
//   copied <directory>               a checkpoint was made
//   killed <when> <call>             the last line, if there is no next
//   calls <all> <changing>           it was not killed: there were no more
//
// Its argument is a `Given` as JSON. The commits are those of `killedCommits.ts`.
import { writeSync } from "node:fs"
import { Effect, Layer, Stream } from "effect"
import * as Clock from "effect/Clock"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import type { Durability } from "../../src/services/Options.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { Disk } from "../../src/services/Disk.ts"
import { operationsOf, piecesOf } from "./killedCommits.ts"
import { type Kill, killingDisk, lazyDisk } from "./killingDisk.ts"
import { sealedBy } from "./nonceLedger.ts"
import { built, type Opened, quiet } from "./opened.ts"
import { Dice } from "./randomPlan.ts"

export interface Given {
  readonly directory: string
  readonly sealed: boolean
  readonly seed: number
  /** In the ids of its commits. */
  readonly run: number
  readonly kill?: Kill | undefined
  /** Ends right after it has told of so many promises. */
  readonly killAfterPromises?: number | undefined
  /** Its disk says that it has what it has not. */
  readonly isLazy?: boolean | undefined
}

const given = JSON.parse(process.argv[2]!) as Given
const dice = new Dice(given.seed)
let commits = 0
let copies = 0
let promises = 0

/** Of a commit; never used again. */
const newId = (): string => `${given.run}.${given.seed}-${commits++}`

const say = (line: string): void => {
  writeSync(1, `${line}\n`)
}

/** Says that something is promised, and may be killed at once: nothing else happens in between. */
const promise = (line: string): void => {
  say(line)
  promises += 1
  if (promises !== given.killAfterPromises) return
  say(`killed after ${line.split(" ")[0]}`)
  process.kill(process.pid, "SIGKILL")
}

const machine = NodeDisk.make()
const { calls, disk } = killingDisk(given.kill, say, given.isLazy === true ? lazyDisk(machine) : machine)

const commit = ({ database }: Opened, wanted?: Durability) =>
  Effect.suspend(() => {
    const id = newId()
    const durability = wanted ?? dice.pick(["disk", "os", "os", "buffered"] as const)
    return Clock.currentTimeMillis.pipe(
      Effect.flatMap((now) => database.write(operationsOf(id, now), { durability })),
      Effect.map(({ sequence }) => promise(`ack ${id} ${sequence} ${durability}`))
    )
  })

const streamed = ({ database }: Opened) =>
  Effect.suspend(() => {
    const id = newId()
    const written = database.setStream(`stream/${id}`, Stream.fromIterable(piecesOf(id)))
    return Effect.map(written, () => promise(`streamed ${id}`))
  })

const synced = ({ database }: Opened) => Effect.map(database.sync, (sequence) => promise(`synced ${sequence}`))

const copied = ({ maintenance }: Opened) =>
  Effect.suspend(() => {
    const directory = `${given.directory}-copy-${given.run}-${copies++}`
    return Effect.map(maintenance.checkpoint(directory), () => promise(`copied ${directory}`))
  })

type Step = readonly [name: string, effect: Effect.Effect<unknown, DatabaseError>]

const stepsOf = (opened: Opened): ReadonlyArray<Step> => {
  const { maintenance } = opened
  const several = Effect.all(
    Array.from({ length: 4 }, () => commit(opened)),
    { concurrency: "unbounded" }
  )
  const all: ReadonlyArray<Step> = [
    ["commit", commit(opened)],
    ["commits", several],
    ["flush", maintenance.flush],
    ["commits", several],
    ["flush", maintenance.flush],
    ["buffered", commit(opened, "buffered")],
    ["sync", synced(opened)],
    ["compact", maintenance.compact()],
    ["commits", several],
    ["stream", streamed(opened)],
    ["collect", maintenance.collectValues({ garbageRatioMin: 0 })],
    ["checkpoint", copied(opened)],
    ["commit", commit(opened)],
    ...(given.sealed ? [["rotate", maintenance.rotateDataKey({ full: dice.chance(50) })] as const] : []),
    ["compact", maintenance.compact()],
    ["commits", several]
  ]
  // From another place on in each run, so that no step is always the first.
  const first = given.run === 0 ? 0 : dice.below(all.length)
  return [...all.slice(first), ...all.slice(0, first)]
}

const options = {
  directory: given.directory,
  arenaBytes: 16 * 1024,
  blockBytes: 1024,
  valueThreshold: 500,
  directValueBytesMin: 8000,
  valueFileBytesMax: 16 * 1024,
  // In which nobody writes what is only buffered, unless it is asked for.
  flushDelayMillis: dice.pick([1, 10_000]),
  flushOnCloseBytesMin: dice.pick([0, 1024 * 1024]),
  manifestBytesMax: 2048,
  sequencesReserved: 64,
  level0TablesMin: 2,
  baseLevelBytes: 16 * 1024,
  levelRatio: 2,
  tableBytesMax: 8 * 1024
}

const session = Effect.gen(function* () {
  const encryption = given.sealed ? sealedBy() : NoEncryption.layer
  const layer = LsmDatabase.layerWith(options).pipe(Layer.provide([Layer.succeed(Disk, disk), encryption]))
  const opened = yield* built(layer)
  say(`open ${yield* opened.database.count({ prefix: "commit/" })}`)
  for (const [name, effect] of stepsOf(opened)) {
    say(`step ${name}`)
    yield* effect
  }
  say("step close")
})

await Effect.runPromise(Effect.scoped(session).pipe(quiet))
say(`calls ${calls.all} ${calls.changing}`)
