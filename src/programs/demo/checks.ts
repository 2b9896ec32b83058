// What the demo claims, each with its outcome. A claim that does not hold is printed and makes the exit code 1; the
// rest goes on, to show all there is.
import * as Console from "effect/Console"
import type * as Effect from "effect/Effect"

export class Checks {
  held = 0
  broken = 0

  /** `detail` says how much was compared or, if it does not hold, what differs. */
  expect(claim: string, holds: boolean, detail: string): Effect.Effect<void> {
    if (holds) this.held += 1
    else this.broken += 1
    return Console.log(`  ${holds ? "ok     " : "BROKEN "} ${claim}: ${detail}`)
  }
}
