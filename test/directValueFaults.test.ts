// One device call after the other fails, while values are written to files before their commits. Each write succeeds or
// says why not; what was acknowledged is there after the next open, and no value file that nothing names.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope, Stream } from "effect"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseService } from "../src/services/Database.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import { options, streamOf, valueOf } from "./support/directValues.ts"
import { assertValueFilesNamed } from "./support/directCrash.ts"
import { open, visibleImage } from "./support/opened.ts"
import { simulate, using } from "./support/scenario.ts"

const lengthOf = (index: number): number => 400 + 400 * index

type Write = (database: DatabaseService) => Effect.Effect<unknown, DatabaseError>

const writes: ReadonlyArray<Write> = [
  (database) => database.set("k0", valueOf(lengthOf(0))),
  (database) => database.set("k1", valueOf(lengthOf(1))),
  (database) => database.setStream("k2", streamOf(valueOf(lengthOf(2)))),
  (database) =>
    database.write([3, 4].map((index) => ({ type: "set", key: `k${index}`, value: valueOf(lengthOf(index)) }))),
  (database) => database.transaction((tx) => tx.setStream("k5", streamOf(valueOf(lengthOf(5))))),
  (database) => database.set("k6", valueOf(lengthOf(6)), { durability: "buffered" })
]

const keysOf = (index: number): ReadonlyArray<number> => (index < 3 ? [index] : index === 3 ? [3, 4] : [index + 1])

interface Faulty {
  readonly at: number
  readonly code: string
  readonly bytesAccepted?: number
  readonly sticky?: boolean
}

/** Runs the writes with the fault and returns how many calls there were. */
const strike = (fault: Faulty): number => {
  const where = JSON.stringify(fault)
  const device = SimDisk.make({ faults: [fault] })
  const acknowledged: Array<number> = []
  simulate(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const opened = yield* Effect.exit(Scope.provide(open(device.layer, options), scope))
      if (Exit.isSuccess(opened)) {
        const { database, maintenance } = opened.value
        for (const [index, write] of writes.entries()) {
          const exit = yield* Effect.exit(write(database))
          if (Exit.isSuccess(exit) && index !== 5) acknowledged.push(index)
          if (Exit.isFailure(exit)) assert.notInclude(String(exit.cause), "Die", where)
          if (index === 2) yield* Effect.exit(Effect.timeout(maintenance.flush, "5 seconds"))
        }
      }
      yield* Scope.close(scope, Exit.void)
    })
  )
  const calls = device.log.length
  const memory = MemoryDisk.fromImage(visibleImage(device))
  simulate(
    using(
      memory,
      ({ database, maintenance }) =>
        Effect.gen(function* () {
          for (const index of acknowledged.flatMap(keysOf)) {
            const value = yield* database.get(`k${index}`)
            assert.deepStrictEqual(value, valueOf(lengthOf(index)), `k${index}, ${where}`)
          }
          yield* Stream.runDrain(database.scan())
          assert.deepStrictEqual((yield* maintenance.verify).damage, [], where)
          yield* maintenance.flush
        }),
      options
    )
  )
  simulate(assertValueFilesNamed(memory.disk, where))
  return calls
}

describe("a disk that fails under direct values", () => {
  for (const [code, more] of [
    ["EIO", {}],
    ["ENOSPC", { bytesAccepted: 50 }],
    ["EMFILE", {}],
    ["ENOSPC", { sticky: true }]
  ] as const) {
    it(`${code} ${JSON.stringify(more)} at every call`, () => {
      const calls = strike({ at: Number.MAX_SAFE_INTEGER, code })
      for (let at = 0; at < calls; at++) strike({ at, code, ...more })
    }, 300_000)
  }
})
