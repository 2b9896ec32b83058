// Real kills at device calls: writers that kill themselves before or after one, on stores that grow from life to life.
// The default run has a share; `npm run torture -- --only kills` goes on.
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Tally } from "./campaigns/campaign.ts"
import { countKill } from "./campaigns/kills.ts"
import { killedLife, killedPrograms, type Programs } from "./support/killedLife.ts"

const lives = Number(process.env.STRATA_LIVES ?? 3)
const firstSeed = Number(process.env.STRATA_SEED ?? Math.floor(Math.random() * 1e9))

const messagesOf = (error: unknown): string =>
  error instanceof Error ? `${error.message}; ${messagesOf(error.cause)}` : String(error)

describe("SIGKILL at a device call", () => {
  const tally = new Tally()
  let programs: Programs
  beforeAll(async () => {
    programs = await killedPrograms()
  })
  afterAll(() => {
    programs.remove()
    console.log(`killed at calls, from seed ${firstSeed}: ${JSON.stringify([...tally.counts, ...tally.reached])}`)
  })

  for (let seed = firstSeed; seed < firstSeed + lives; seed++) {
    it(
      `loses nothing that was acknowledged, seed ${seed}`,
      () => killedLife(seed, programs, { cycles: 6, onKilled: (killed) => countKill(killed, tally) }),
      120_000
    )
  }

  it("would be noticed if a commit were acknowledged before its bytes are given to the system", async () => {
    const noticed: Array<string> = []
    for (let seed = 1; noticed.length === 0 && seed <= 20; seed++) {
      await killedLife(seed, programs, { cycles: 6, isLazy: true, onKilled: () => {} }).catch((error: unknown) =>
        noticed.push(messagesOf(error))
      )
    }
    assert.match(noticed[0] ?? "nothing", /is lost/)
  }, 120_000)

  it("happened", () => assert.isAtLeast(tally.counts.get("kills at a device call") ?? 0, lives))
})
