// A database on a disk that is really full: writes until there is no room, keeps trying and reading, has room given
// back by others or makes it itself by removals, and must go on by itself, with everything that was acknowledged, and
// nothing else. Prints what happened as JSON. Its argument is a `Given` as JSON; the directory is a small file system
// of its own, unless there is a budget (`budgetDisk.ts`).
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import type { DatabaseService, Operation } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { Disk } from "../../src/services/Disk.ts"
import { budgetDisk } from "./budgetDisk.ts"
import { sealedBy } from "./nonceLedger.ts"
import { built, type Opened, quiet } from "./opened.ts"
import { assertNoOrphans } from "./orphans.ts"
import { Dice } from "./randomPlan.ts"

export interface Given {
  /** Of the file system. */
  readonly root: string
  readonly bytes: number
  readonly isBudget: boolean
  readonly sealed: boolean
  readonly seed: number
  /** Who makes room: another program, that removes its file, or the database's own removals. */
  readonly room: "others" | "removals"
}

export interface Happened {
  readonly written: number
  readonly refused: number
  /** Removals that were refused, and made again. */
  readonly removalsAgain: number
  /** From the moment when there was room, or was to be made, until a write was taken. */
  readonly resumedMillis: number
}

const given = JSON.parse(process.argv[2]!) as Given
const dice = new Dice(given.seed)
const directory = join(given.root, "db")
const filler = join(given.root, "filler")
const fillerBytes = Math.floor(given.bytes / 3)
const budget = given.isBudget ? budgetDisk(given.bytes) : undefined
const encryption = given.sealed ? sealedBy() : NoEncryption.layer

const options = {
  directory,
  arenaBytes: 64 * 1024,
  valueThreshold: 2000,
  valueBytesMax: 32 * 1024,
  directValueBytesMin: 8000,
  level0TablesMin: 2,
  baseLevelBytes: 256 * 1024,
  levelRatio: 4,
  tableBytesMax: 64 * 1024,
  ballastLiveBytesMin: 1
}

const layer =
  budget === undefined
    ? LsmDatabase.layer({ ...options, encryption })
    : LsmDatabase.layerWith(options).pipe(Layer.provide([Layer.succeed(Disk, budget.disk), encryption]))

/** What must be there. */
const model = new Map<string, string>()
let next = 0
let refused = 0
let removalsAgain = 0
/** Of waiting for room that there is. */
const millisMax = 30_000

const newWrites = (): ReadonlyArray<
  Operation & { readonly type: "set"; readonly key: string; readonly value: string }
> =>
  Array.from({ length: 1 + dice.below(3) }, () => {
    const key = dice.chance(20) ? `k${dice.below(next + 1)}` : `k${next++}`
    return { type: "set", key, value: `${key}/`.padEnd(dice.pick([20, 300, 1000, 4000, 12_000]), "v") }
  })

/** One commit; whether it was taken. What is refused must be for want of room, and leaves nothing. */
const write = (database: DatabaseService) =>
  Effect.suspend(() => {
    const writes = newWrites()
    return Effect.match(database.write(writes, { durability: dice.pick(["disk", "os"] as const) }), {
      onSuccess: () => {
        for (const { key, value } of writes) model.set(key, value)
        return true
      },
      onFailure: (error) => {
        assert.strictEqual(error.reason._tag, "DiskFull", error.message)
        refused += 1
        return false
      }
    })
  })

const text = new TextDecoder()

const readSome = (database: DatabaseService) =>
  Effect.gen(function* () {
    const keys = [...model.keys()]
    for (let count = 0; count < 5; count++) {
      const key = dice.pick(keys)
      const value = yield* database.get(key)
      assert.strictEqual(value && text.decode(value), model.get(key), key)
    }
  })

const checkAll = ({ database }: Opened) =>
  Effect.map(Stream.runCollect(database.scan()), (entries) => {
    const found = Array.from(entries, ({ key, value }) => [text.decode(key), text.decode(value)] as const)
    const wanted = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
    assert.strictEqual(found.length, wanted.length, "entries")
    for (const [index, [key, value]] of found.entries()) {
      assert.strictEqual(key, wanted[index]![0])
      assert.isTrue(value === wanted[index]![1], `the value of ${key}`)
    }
  })

/** The ballast is made when the database has been at rest for a second. */
const ballasted = Effect.fnUntraced(function* ({ database, maintenance }: Opened) {
  for (let bytes = 0; bytes < given.bytes / 4; bytes = (yield* maintenance.stats).counters.userBytes) {
    assert.isTrue(yield* write(database), "there is room")
  }
  yield* maintenance.flush
  const startedAt = performance.now()
  while ((yield* maintenance.stats).ballast.bytes === 0) {
    assert.isBelow(performance.now() - startedAt, millisMax, "there is no ballast")
    yield* Effect.sleep(50)
  }
})

const fill = Effect.fnUntraced(function* ({ database }: Opened) {
  while (yield* write(database)) if (model.size % 50 === 0) yield* Effect.yieldNow
  for (let tries = 0; tries < 100; tries++) {
    yield* write(database)
    if (tries % 10 > 0) continue
    yield* readSome(database)
    yield* Effect.sleep(2)
  }
})

/** Until a write is taken, and one after it. */
const resumed = Effect.fnUntraced(function* ({ database }: Opened) {
  const startedAt = performance.now()
  while (!(yield* write(database)) || !(yield* write(database))) {
    assert.isBelow(performance.now() - startedAt, millisMax, "writing does not go on")
    yield* Effect.sleep(20)
  }
  return performance.now() - startedAt
})

const makeRoom = ({ database }: Opened): Effect.Effect<void, DatabaseError> => {
  if (given.room === "others") {
    return Effect.sync(() => {
      rmSync(filler, { force: true })
      budget?.take(-fillerBytes)
    })
  }
  const removed = [...model.keys()].filter((_, index) => index % 5 > 0)
  return Effect.forEach(removed, (key) => remove(database, key), { discard: true })
}

/** It is patient for a second; where jobs are slower than that, who removes has to be so too. */
const remove = Effect.fnUntraced(function* (database: DatabaseService, key: string) {
  const startedAt = performance.now()
  for (;;) {
    const result = yield* Effect.result(database.remove(key))
    if (result._tag === "Success") break
    assert.strictEqual(result.failure.reason._tag, "DiskFull", result.failure.message)
    assert.isBelow(performance.now() - startedAt, millisMax, "a removal is not taken")
    removalsAgain += 1
    yield* Effect.sleep(20)
  }
  model.delete(key)
})

const program = Effect.gen(function* () {
  if (budget === undefined) writeFileSync(filler, new Uint8Array(fillerBytes))
  budget?.take(fillerBytes)
  const resumedMillis = yield* Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* built(layer)
      yield* ballasted(opened)
      yield* fill(opened)
      yield* makeRoom(opened)
      const millis = yield* resumed(opened)
      for (let count = 0; count < 20; count++) yield* write(opened.database)
      yield* checkAll(opened)
      return millis
    })
  )
  yield* Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* built(layer)
      yield* checkAll(opened)
      assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
      yield* opened.maintenance.flush
    })
  )
  yield* assertNoOrphans({ disk: NodeDisk.make(), directory, encryption, logSegments: undefined })
  return { written: model.size, refused, removalsAgain, resumedMillis } satisfies Happened
})

console.log(JSON.stringify(await Effect.runPromise(program.pipe(quiet))))
