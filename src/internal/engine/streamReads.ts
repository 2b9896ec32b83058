// A value as a stream of pieces. What it holds until its scope closes is the value's file alone, so a writer never
// waits for a slow consumer.
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Bytes } from "../../services/Database.ts"
import { Closed, type DatabaseError, fail } from "../../services/DatabaseError.ts"
import type { ValueFile } from "../../services/ValueLog.ts"
import { attempt } from "./attempt.ts"
import type { Hit, PointReads, Take } from "./pointReads.ts"
import type { Reading, ReadParts } from "./readContext.ts"
import { isSeparated, type Separated, separatedOf } from "./valueReads.ts"

type Pieces = Stream.Stream<Uint8Array, DatabaseError>

/** A value that was found, and how to let it go. */
interface Held {
  readonly pieces: Pieces
  readonly release: () => void
  open: boolean
}

export class StreamReads {
  private readonly parts: ReadParts
  private readonly reading: Reading
  private readonly points: PointReads

  constructor(parts: ReadParts, reading: Reading, points: PointReads) {
    this.parts = parts
    this.reading = reading
    this.points = points
  }

  get(key: Bytes): Effect.Effect<Pieces | undefined, DatabaseError, Scope.Scope> {
    const acquire = Effect.suspend(() => this.points.readAt(undefined, key, this.take))
    return Effect.map(Effect.acquireRelease(acquire, release), (held) => held && this.whileOpen(held))
  }

  /** In the synchronous step in which the record was found: its file is held from then on. */
  private readonly take: Take<Held | undefined> = {
    readsValue: false,
    absent: Effect.undefined,
    of: (hit) => {
      if (hit === undefined) return undefined
      const { entry, own } = hit
      if (isSeparated(entry)) return this.hold(hit, separatedOf(this.parts.separated, entry, own))
      const value = entry.bytes.slice(entry.valueStart, entry.valueEnd)
      return { pieces: value.length === 0 ? Stream.empty : Stream.succeed(value), release: () => {}, open: true }
    }
  }

  private hold({ files, own }: Hit, value: Separated): Held {
    const { live, separated } = this.parts
    const file: ValueFile = separated.fileOf(files, value.handle)
    // A transaction's own file is the transaction's to keep.
    const letGo = own ? () => {} : live.pinValue(file)
    return { pieces: file.stream(value.handle, value.owner), release: letGo, open: true }
  }

  private whileOpen(held: Held): Pieces {
    const check = attempt(() => {
      this.reading.check()
      if (!held.open) throw fail(new Closed({ message: "the scope that the value was opened in was closed" }))
      return Effect.void
    })
    return Stream.transformPull(held.pieces, (pull) => Effect.succeed(Effect.andThen(check, pull)))
  }
}

const release = (held: Held | undefined): Effect.Effect<void> =>
  Effect.sync(() => {
    if (held === undefined) return
    held.open = false
    held.release()
  })
