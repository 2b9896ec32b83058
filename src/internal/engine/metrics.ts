// The counters of a database as metrics: read when somebody looks, never pushed, so that nobody listening costs
// nothing.
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import type { Counters } from "../../services/Maintenance.ts"

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** Registers `strata_…` for each counter, with the directory as attribute, until the scope closes. */
export const register = (directory: string, counters: () => Counters): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.contextWith((context: Context.Context<never>) =>
      Effect.sync(() =>
        Object.keys(counters()).map((name) => {
          const metric = Metric.counter(`strata_${snakeCase(name)}`, { attributes: { directory } })
          const get = () => ({ count: counters()[name as keyof Counters], incremental: true })
          return Metric.registerUnsafe(metric, context, { get, update: () => {}, modify: () => {} })
        })
      )
    ),
    (registrations) =>
      Effect.sync(() => {
        for (const registration of registrations) registration.remove()
      })
  ).pipe(Effect.asVoid)
