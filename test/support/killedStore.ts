// A store whose writers are killed, as who comes next sees it: everything that was acknowledged is there, in order, and
// all that is there is what the commits leave (`killedState.ts`). What writers print is in the headers of
// `killedWriter.ts` and `killedCalls.ts`.
import { assert } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import { type Found, foundIn } from "./killedState.ts"
import { sealedBy } from "./nonceLedger.ts"
import { built, type Opened, quiet } from "./opened.ts"
import { assertNoOrphans } from "./orphans.ts"

export interface Store {
  readonly directory: string
  readonly sealed: boolean
}

interface Acknowledged {
  readonly sequence: number
  readonly durability: string
}

/** What writers were told. */
export class Promised {
  /** By the ids of commits. */
  readonly commits = new Map<string, Acknowledged>()
  private readonly streams = new Set<string>()

  /** The lines that a writer printed. */
  note(lines: ReadonlyArray<string>): void {
    let synced = 0
    for (const line of lines) {
      const [word, id = "", sequence, durability = ""] = line.split(" ")
      if (word === "ack") this.commits.set(id, { sequence: Number(sequence), durability })
      else if (word === "streamed") this.streams.add(id)
      else if (word === "synced") synced = Math.max(synced, Number(id))
    }
    for (const [id, { sequence }] of this.commits)
      if (sequence <= synced) this.commits.set(id, { sequence, durability: "disk" })
  }

  /** A close keeps everything. */
  closed(): void {
    for (const [id, { sequence }] of this.commits) this.commits.set(id, { sequence, durability: "disk" })
  }

  /**
   * Fails if something is lost. What is there was found after a recovery and will be closed: from here on it must stay.
   * What is not may be forgotten.
   */
  judge({ ids, streams }: Found): void {
    const last = [...ids.values()].reduce((a, b) => Math.max(a, b), 0)
    for (const [id, { durability, sequence }] of this.commits) {
      if (ids.get(id) === sequence) continue
      assert.strictEqual(durability, "buffered", `${durability} commit ${id} (${sequence}) is lost`)
      assert.isAbove(sequence, last, `a hole: commit ${id} (${sequence}) is missing before ${last}`)
    }
    for (const id of this.streams) assert.isTrue(streams.has(id), `the stream ${id} is lost`)
    this.commits.clear()
    for (const [id, sequence] of ids) this.commits.set(id, { sequence, durability: "disk" })
    for (const id of streams) this.streams.add(id)
  }
}

const found = ({ database }: Opened, promised: Promised) =>
  Effect.map(foundIn(database), (found) => promised.judge(found))

const encryptionOf = (sealed: boolean) => (sealed ? sealedBy() : NoEncryption.layer)

const inline = ({ directory, sealed }: Store, create: boolean) =>
  built(
    LsmDatabase.layerWith({ directory, create, arenaBytes: 64 * 1024 }).pipe(
      Layer.provide([NodeDisk.layer, encryptionOf(sealed)])
    )
  )

/** With its threads, as an application opens it. */
export const check = ({ directory, sealed }: Store, promised: Promised) =>
  Effect.scoped(
    Effect.flatMap(built(LsmDatabase.layer({ directory, encryption: sealed ? sealedBy() : undefined })), (opened) =>
      found(opened, promised)
    )
  ).pipe(quiet)

/** The same without threads, that all of it is sound, and that no file is left over. */
export const checkAll = Effect.fnUntraced(function* (store: Store, promised: Promised) {
  yield* Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* inline(store, true)
      yield* found(opened, promised)
      assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
      // The log names the values of commits that are in no table: after this none is.
      yield* opened.maintenance.flush
    })
  )
  const { directory, sealed } = store
  const encryption = encryptionOf(sealed)
  yield* assertNoOrphans({ disk: NodeDisk.make(), directory, encryption, logSegments: undefined })
}, quiet)

/** A checkpoint of the store: whole, or, if nobody was told of it, no database. */
export const checkCopy = (store: Store, isAcknowledged: boolean) =>
  Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* inline(store, false)
      yield* foundIn(opened.database)
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
