/**
 * A key-management system that keeps a master key: it wraps and unwraps, and never shows the key.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { DatabaseError } from "./DatabaseError.ts"

/**
 * Wraps the random key that a keyring's data keys are wrapped with (an envelope). Asked when a database is created or
 * opened, and when its master key is rotated (a new key is wrapped, and unwrapped at once to see that it can be); never
 * for a read or a write.
 *
 * Invariants:
 * 1. `unwrap` returns exactly what `wrap` was given, or fails.
 * 2. What `wrap` returns is useless to whoever may not `unwrap`.
 *
 * @since 0.1.0
 * @category services
 */
export class KeyProvider extends Context.Service<
  KeyProvider,
  {
    /** Which of the system's keys it is. Kept in the keyring, in the clear. */
    readonly keyId: string
    /** The argument is wiped when it completes. */
    readonly wrap: (key: Uint8Array) => Effect.Effect<Uint8Array, DatabaseError>
    /** The result is wiped when it has been used: give out a copy. */
    readonly unwrap: (wrapped: Uint8Array) => Effect.Effect<Uint8Array, DatabaseError>
  }
>()("strata/KeyProvider") {}

/**
 * The shape of `KeyProvider`.
 *
 * @since 0.1.0
 * @category models
 */
export type KeyProviderService = KeyProvider["Service"]
