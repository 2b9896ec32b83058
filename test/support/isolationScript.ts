// Scripted interleavings of transactions, each run at both levels of isolation.
import { it } from "@effect/vitest"
import { Effect, Scope, Stream } from "effect"
import * as MemoryDatabase from "../../src/layers/MemoryDatabase.ts"
import { Database, type Isolation, type ManualTransaction, type Reader } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"

export const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value)

export const read = (reader: Reader, key: string) => Effect.map(reader.get(key), text)

export const keysOf = (reader: Reader, prefix: string) =>
  Effect.map(Stream.runCollect(reader.keys({ prefix })), (keys) => Array.from(keys, text))

/** `committed`, or the reason why not. */
export const commit = (transaction: ManualTransaction): Effect.Effect<string> =>
  Effect.match(transaction.commit, {
    onFailure: (error: DatabaseError) => error.reason._tag,
    onSuccess: () => "committed"
  })

export const script = (
  name: string,
  body: (
    begin: Effect.Effect<ManualTransaction, DatabaseError, never>,
    isolation: Isolation
  ) => Effect.Effect<void, DatabaseError, Database>
) => {
  for (const isolation of ["serializable", "snapshot"] as const) {
    it.effect(`${name} (${isolation})`, () =>
      Effect.gen(function* () {
        const database = yield* Database
        yield* database.write([
          { type: "set", key: "1", value: "10" },
          { type: "set", key: "2", value: "20" }
        ])
        const scope = yield* Effect.scope
        const begin = Effect.provideService(database.begin({ isolation }), Scope.Scope, scope)
        yield* body(begin, isolation)
      }).pipe(Effect.scoped, Effect.provide(MemoryDatabase.layer()))
    )
  }
}
