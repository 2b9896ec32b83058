// Damage as verification reports it: a value, where a read fails with it.
import * as Effect from "effect/Effect"
import { type DatabaseError, isDamage } from "../../services/DatabaseError.ts"
import type { Damage } from "../../services/Maintenance.ts"

/** What the disk cannot read (`EIO`) is damage; what a later try may do better (`EMFILE`) is not. */
export const asDamage = ({ reason }: DatabaseError): Damage | undefined => {
  if (!isDamage(reason) && (reason._tag !== "Io" || reason.isRetryable)) return undefined
  return { file: reason.file, offset: reason.offset ?? 0, message: reason.message }
}

/** The error as a value, if it is damage. */
export const orDamage = <A>(effect: Effect.Effect<A, DatabaseError>): Effect.Effect<A | Damage, DatabaseError> =>
  Effect.catch(effect, (error): Effect.Effect<Damage, DatabaseError> => {
    const damage = asDamage(error)
    return damage === undefined ? Effect.fail(error) : Effect.succeed(damage)
  })
