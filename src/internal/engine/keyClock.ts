// Tells when the data key is old enough for a new one (structure/keyAge.ts): by what was committed with it and by its
// age. Without a limit it costs nothing.
//
// Bytes and time are counted from when the database was opened, or the key made. What was before is known of the
// keyring (the sequence and the time at which the key was made) and of the tables.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { DataKeyFacts, KeyControl } from "../../services/Encryption.ts"
import type { ManifestService } from "../../services/Manifest.ts"
import type { OracleService } from "../../services/Oracle.ts"
import { bytesSince, isKeyDue, type KeyAge, keyDueInMillis, type KeyLimits } from "../structure/keyAge.ts"

export interface KeyClockParts {
  readonly options: KeyLimits
  readonly manifest: ManifestService
  readonly oracle: OracleService
  /** Bytes of commits since the database was opened. */
  readonly committedBytes: () => number
}

/** Timers are not asked for longer: they are the only sign of time while the clock stands still. */
const sleepMillisMax = 3_600_000

export class KeyClock {
  private readonly parts: KeyClockParts
  private readonly limits: KeyLimits
  private key: DataKeyFacts | undefined = undefined
  private bytesBefore = 0
  private bytesAtStart = 0
  private startNanos = 0n

  constructor(parts: KeyClockParts) {
    this.parts = parts
    this.limits = parts.options
  }

  /** The newest key is a new one, or the database was opened with it. */
  start(keys: KeyControl): Effect.Effect<void> {
    return Effect.map(Clock.monotonicTimeNanos, (nanos) => {
      const key = keys.facts().generations.at(-1)!
      this.key = key
      this.bytesBefore = bytesSince(key, this.parts.manifest.state().tables)
      this.bytesAtStart = this.parts.committedBytes()
      this.startNanos = nanos
    })
  }

  /** Whether enough was committed. Asked after each group of commits: two numbers are compared, and nothing is made. */
  isSpent(): boolean {
    const { dataKeyBytesMax, dataKeyCommitsMax } = this.limits
    if (this.key === undefined) return false
    if (dataKeyCommitsMax !== undefined && this.commits(this.key) >= dataKeyCommitsMax) return true
    return dataKeyBytesMax !== undefined && this.bytes() >= dataKeyBytesMax
  }

  readonly isDue: Effect.Effect<boolean> = Effect.suspend(() =>
    Effect.map(this.age, (age) => age !== undefined && isKeyDue(age, this.limits))
  )

  /** The effect, or as long as it takes until the key is due by its age. */
  bounded(effect: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.flatMap(this.age, (age) => {
      if (age === undefined || this.limits.dataKeyAgeMillisMax === undefined) return effect
      const millis = Math.max(1, Math.min(sleepMillisMax, keyDueInMillis(age, this.limits)))
      return Effect.asVoid(Effect.timeoutOption(effect, millis))
    })
  }

  private readonly age: Effect.Effect<KeyAge | undefined> = Effect.clockWith((clock) =>
    Effect.sync(() => {
      const { key } = this
      if (key === undefined) return undefined
      const openMillis = Number(clock.monotonicTimeNanosUnsafe() - this.startNanos) / 1e6
      return {
        commits: this.commits(key),
        bytes: this.bytes(),
        millis: clock.currentTimeMillisUnsafe() - key.createdMillis,
        openMillis
      }
    })
  )

  private commits({ createdSequence }: DataKeyFacts): number {
    return this.parts.oracle.assigned() - createdSequence
  }

  private bytes(): number {
    return this.bytesBefore + this.parts.committedBytes() - this.bytesAtStart
  }
}
