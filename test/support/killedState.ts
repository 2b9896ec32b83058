// Everything that a store of killed writers has to hold, by the commits whose markers are in it.
import { assert } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Clock from "effect/Clock"
import type { DatabaseService, Entry, Operation } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { operationsOf, piecesOf } from "./killedCommits.ts"

interface Marker {
  readonly id: string
  readonly atMillis: number
  readonly sequence: number
}

/** Who wrote the value that a key has: its operation, which is made again when it is compared. */
interface Written {
  readonly marker: Marker
  readonly index: number
  readonly expiresAt: number | undefined
}

type SetOperation = Extract<Operation, { readonly type: "set" }>

const text = new TextDecoder()
const idOf = (key: Uint8Array): string => text.decode(key).split("/")[1]!

/** What the commits leave, one after the other. */
const stateAfter = (markers: ReadonlyArray<Marker>): Map<string, Written> => {
  const state = new Map<string, Written>()
  for (const marker of [...markers].sort((a, b) => a.sequence - b.sequence)) {
    for (const [index, operation] of operationsOf(marker.id, marker.atMillis).entries()) {
      if (operation.type === "set") {
        state.set(operation.key as string, { marker, index, expiresAt: operation.expiresAt })
      } else if (operation.type === "remove") state.delete(operation.key as string)
      else if (operation.type === "removeRange") {
        const { from, to } = operation as { readonly from: string; readonly to: string }
        for (const key of state.keys()) if (key >= from && key < to) state.delete(key)
      }
    }
  }
  return state
}

/** The value, and what belongs to it. */
const compare = ({ expiresAt, key, sequence, value }: Entry, { index, marker }: Written): void => {
  const { atMillis, id } = marker
  const operation = operationsOf(id, atMillis)[index] as SetOperation
  const name = text.decode(key)
  assert.strictEqual(sequence, marker.sequence, `${name} is of another commit than ${id}`)
  assert.strictEqual(expiresAt, operation.expiresAt, `when ${name} expires`)
  assert.isTrue(Buffer.from(operation.value as string).equals(value), `${name} is not the value of commit ${id}`)
}

export interface Found {
  /** The ids of the commits, with their sequences. */
  readonly ids: ReadonlyMap<string, number>
  /** The ids of the values that were streamed. */
  readonly streams: ReadonlySet<string>
}

/** Fails unless what is there is exactly what the commits that are there leave. */
export const foundIn = (database: DatabaseService): Effect.Effect<Found, DatabaseError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const before = yield* Clock.currentTimeMillis
      const snapshot = yield* database.snapshot
      const after = yield* Clock.currentTimeMillis
      const markers = Array.from(
        yield* Stream.runCollect(snapshot.scan({ prefix: "commit/" })),
        ({ key, sequence, value }): Marker => ({ id: idOf(key), atMillis: Number(text.decode(value)), sequence })
      )
      const state = stateAfter(markers)
      const streams = new Set<string>()
      yield* Stream.runForEach(snapshot.scan(), (entry) =>
        Effect.sync(() => {
          const key = text.decode(entry.key)
          if (key.startsWith("stream/")) {
            const id = idOf(entry.key)
            assert.isTrue(Buffer.concat(piecesOf(id)).equals(entry.value), `the stream ${id} is another`)
            streams.add(id)
            return
          }
          const written = state.get(key)
          if (written === undefined) throw new Error(`${key} is there: ${text.decode(entry.value.subarray(0, 60))}`)
          compare(entry, written)
          const { expiresAt = Infinity } = written
          assert.isAbove(expiresAt, before, `${key} has expired`)
          state.delete(key)
        })
      )
      const missing = [...state].find(([, { expiresAt = Infinity }]) => expiresAt > after)
      if (missing !== undefined) throw new Error(`${missing[0]} of commit ${missing[1].marker.id} is missing`)
      return { ids: new Map(markers.map(({ id, sequence }) => [id, sequence])), streams }
    })
  )
