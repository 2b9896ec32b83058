// What is due of the keys of an encrypted database, as its rotations begin and end.
import { Effect, type Layer } from "effect"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Encryption } from "../../src/services/Encryption.ts"
import { SimKeys } from "../support/simKeys.ts"

export interface KeyPromise {
  /** Master keys of which exactly one opens the database. */
  readonly masters: ReadonlyArray<number>
  /** Those that open it no more. */
  readonly gone: ReadonlyArray<number>
  /** Data keys below this are forgotten. */
  readonly generationMin: number
}

export type EncryptionLayer = Layer.Layer<Encryption, DatabaseError>

/** Without encryption there is one key, and it is none. */
export const encryptionsOf = (isEncrypted: boolean, seed: number): ((master: number) => EncryptionLayer) => {
  if (!isEncrypted) return () => NoEncryption.layer
  const keys = new SimKeys(seed)
  return (master) => keys.layer(master)
}

export class Keys {
  /** Called when more is due of whatever is found than before. */
  onPromise: () => void = () => {}
  promise: KeyPromise = { masters: [1], gone: [], generationMin: 1 }
  private readonly isFrozen: () => boolean
  private last = 1
  private isRotating = false

  constructor(isFrozen: () => boolean) {
    this.isFrozen = isFrozen
  }

  /** One at a time: of two at once nobody would know which came last. */
  rotating(rotate: (to: number) => Effect.Effect<void, DatabaseError>): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      if (this.isRotating) return Effect.void
      this.isRotating = true
      const to = ++this.last
      this.change({ masters: [...this.promise.masters, to] })
      return rotate(to).pipe(
        Effect.andThen(Effect.sync(() => this.settled(to))),
        Effect.ensuring(
          Effect.sync(() => {
            this.isRotating = false
          })
        )
      )
    })
  }

  /** This one opens it. */
  settled(master: number): void {
    const { gone, masters } = this.promise
    this.change({ masters: [master], gone: [...gone, ...masters.filter((other) => other !== master)] })
  }

  dataRotated(generation: number, full: boolean): void {
    if (full) this.change({ generationMin: Math.max(this.promise.generationMin, generation) })
  }

  /** A session that was cut off has rotated nothing more. */
  begun(): void {
    this.isRotating = false
  }

  private change(change: Partial<KeyPromise>): void {
    if (this.isFrozen()) return
    this.promise = { ...this.promise, ...change }
    this.onPromise()
  }
}
