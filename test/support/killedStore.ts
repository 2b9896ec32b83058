// A store whose writers are killed, as who comes next sees it: everything that was acknowledged is there, whole, and in
// order. What writers print is in the headers of `killedWriter.ts` and `killedCalls.ts`.
import { assert } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import { sealedBy } from "./nonceLedger.ts"
import { built, type Opened, quiet } from "./opened.ts"
import { assertNoOrphans } from "./orphans.ts"

export interface Store {
  readonly directory: string
  readonly sealed: boolean
}

export interface Acknowledged {
  readonly sequence: number
  readonly durability: string
}

const text = new TextDecoder()

/** Of the lines that a writer printed, those of acknowledgements. */
export const noteAcknowledged = (lines: ReadonlyArray<string>, into: Map<string, Acknowledged>): void => {
  for (const line of lines) {
    const [word, id = "", sequence, durability = ""] = line.split(" ")
    if (word === "ack") into.set(id, { sequence: Number(sequence), durability })
  }
}

/**
 * Everything in the store, checked against what was acknowledged so far. Returns the ids found with their sequences.
 */
const found = Effect.fnUntraced(function* ({ database }: Opened, acknowledged: ReadonlyMap<string, Acknowledged>) {
  const parts = new Map<string, number>()
  yield* Stream.runForEach(database.scan({ prefix: "data/" }), ({ key, value }) =>
    Effect.sync(() => {
      const id = text.decode(key).split("/")[1]!
      parts.set(id, (parts.get(id) ?? 0) + 1)
      assert.isTrue(text.decode(value.subarray(0, 40)).startsWith(`${id}/`), `a value of commit ${id}`)
    })
  )
  const ids = new Map<string, number>()
  for (const entry of yield* Stream.runCollect(database.scan({ prefix: "commit/" }))) {
    const id = text.decode(entry.key).split("/")[1]!
    const [, many = ""] = text.decode(entry.value).split("/")
    ids.set(id, entry.sequence)
    assert.strictEqual(parts.get(id), Number(many), `commit ${id} is partial`)
    parts.delete(id)
  }
  assert.deepStrictEqual([...parts.keys()], [], "data without its commit")
  const last = [...ids.values()].reduce((a, b) => Math.max(a, b), 0)
  for (const [id, { durability, sequence }] of acknowledged) {
    if (ids.get(id) === sequence) continue
    assert.strictEqual(durability, "buffered", `${durability} commit ${id} (${sequence}) is lost`)
    assert.isAbove(sequence, last, `a hole: commit ${id} (${sequence}) is missing before ${last}`)
  }
  return ids
})

const encryptionOf = (sealed: boolean) => (sealed ? sealedBy() : NoEncryption.layer)

const inline = ({ directory, sealed }: Store, create: boolean) =>
  built(
    LsmDatabase.layerWith({ directory, create, arenaBytes: 64 * 1024 }).pipe(
      Layer.provide([NodeDisk.layer, encryptionOf(sealed)])
    )
  )

/** With its threads, as an application opens it. */
export const check = ({ directory, sealed }: Store, acknowledged: ReadonlyMap<string, Acknowledged>) =>
  Effect.scoped(
    Effect.flatMap(built(LsmDatabase.layer({ directory, encryption: sealed ? sealedBy() : undefined })), (opened) =>
      found(opened, acknowledged)
    )
  ).pipe(quiet)

/** The same without threads, that all of it is sound, and that no file is left over. */
export const checkAll = Effect.fnUntraced(function* (store: Store, acknowledged: ReadonlyMap<string, Acknowledged>) {
  const ids = yield* Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* inline(store, true)
      const ids = yield* found(opened, acknowledged)
      assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
      // The log names the values of commits that are in no table: after this none is.
      yield* opened.maintenance.flush
      return ids
    })
  )
  const { directory, sealed } = store
  const encryption = encryptionOf(sealed)
  yield* assertNoOrphans({ disk: NodeDisk.make(), directory, encryption, logSegments: undefined })
  return ids
}, quiet)

/** A checkpoint of the store: whole, or, if nobody was told of it, no database. */
export const checkCopy = (store: Store, isAcknowledged: boolean) =>
  Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* inline(store, false)
      yield* found(opened, new Map())
      assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
    })
  ).pipe(
    Effect.catch((error) =>
      Effect.sync(() => {
        assert.isFalse(isAcknowledged, `a checkpoint is lost: ${error.message}`)
        assert.match(error.message, /no database at|no valid marker/)
      })
    ),
    quiet
  )
