// The value files that commits are writing, so that a database that closes leaves none of them behind.
//
// A stream may wait for its source while the database is closed, and go on afterwards, when another process has the
// directory. So what touches a file here does it in turn with `stop`, which ends every file that is not finished: from
// then on nothing is written, and nothing removed.
//
// Nor is anything written for a commit that would be refused: where the ballast was given up (ballast.ts), its room is
// not for values that are on their way.
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { Closed, type DatabaseError, fail } from "../../services/DatabaseError.ts"
import type { ValueLogService, ValueWriter } from "../../services/ValueLog.ts"

/** Calls at the same time; `stop` waits until there is none. */
const callsMax = 2 ** 20

export class ValueWriters {
  private readonly values: ValueLogService
  private readonly refusal: () => DatabaseError | undefined
  private readonly active = new Set<ValueWriter>()
  private readonly calls = Semaphore.makeUnsafe(callsMax)
  private stopped = false

  /** `refusal`: why no commit is taken any more. */
  constructor(values: ValueLogService, refusal: () => DatabaseError | undefined) {
    this.values = values
    this.refusal = refusal
  }

  /** A new file, to be finished or discarded by the caller. Not interruptible. */
  readonly create: Effect.Effect<ValueWriter, DatabaseError> = Effect.uninterruptible(
    Effect.suspend(() =>
      this.call(
        Effect.map(this.values.create, (writer) => {
          this.active.add(writer)
          return this.guarded(writer)
        })
      )
    )
  )

  /** Ends all that is being written; whoever goes on with it fails `Closed`. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.stopped = true
    return this.calls.withPermits(callsMax)(
      Effect.suspend(() => Effect.forEach([...this.active], (writer) => this.end(writer), { discard: true }))
    )
  })

  private call<A>(effect: Effect.Effect<A, DatabaseError>): Effect.Effect<A, DatabaseError> {
    return this.calls.withPermit(
      Effect.suspend(() => {
        const refusal = this.stopped ? closed() : this.refusal()
        return refusal === undefined ? effect : Effect.fail(refusal)
      })
    )
  }

  private end(writer: ValueWriter): Effect.Effect<void> {
    this.active.delete(writer)
    return writer.discard
  }

  private guarded(writer: ValueWriter): ValueWriter {
    return {
      id: writer.id,
      fileTag: writer.fileTag,
      get bytes() {
        return writer.bytes
      },
      begin: (owner) => writer.begin(owner),
      // The bytes are taken over in the call, not when the effect runs.
      push: (bytes) => (this.stopped ? Effect.fail(closed()) : this.call(writer.push(bytes))),
      end: () => writer.end(),
      finish: Effect.uninterruptible(
        this.call(
          Effect.map(writer.finish, (meta) => {
            this.active.delete(writer)
            return meta
          })
        )
      ),
      discard: Effect.uninterruptible(
        this.calls.withPermit(Effect.suspend(() => (this.active.has(writer) ? this.end(writer) : Effect.void)))
      )
    }
  }
}

const closed = (): DatabaseError =>
  fail(new Closed({ message: "the database was closed before the value was written" }))
