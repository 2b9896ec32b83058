import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { KeyClock, type KeyClockParts } from "../../../src/internal/engine/keyClock.ts"
import type { KeyControl } from "../../../src/services/Encryption.ts"
import type { ManifestService } from "../../../src/services/Manifest.ts"
import type { OracleService } from "../../../src/services/Oracle.ts"
import type { KeyLimits } from "../../../src/internal/structure/keyAge.ts"

const noLimits: KeyLimits = { dataKeyBytesMax: undefined, dataKeyCommitsMax: undefined, dataKeyAgeMillisMax: undefined }

const started = (limits: Partial<KeyLimits>) => {
  const state = { bytes: 1000, commits: 50, bytesAsked: 0, limitsRead: 0 }
  const parts: KeyClockParts = {
    // All options of a database: to copy them takes longer than to ask two.
    options: new Proxy(
      { ...noLimits, ...limits },
      {
        ownKeys: (target) => {
          state.limitsRead += 1
          return Reflect.ownKeys(target)
        }
      }
    ),
    manifest: { state: () => ({ tables: [] }) } as unknown as ManifestService,
    oracle: { assigned: () => state.commits } as unknown as OracleService,
    committedBytes: () => {
      state.bytesAsked += 1
      return state.bytes
    }
  }
  const clock = new KeyClock(parts)
  const generations = [{ generation: 1, createdSequence: 40, createdMillis: 0 }]
  Effect.runSync(clock.start({ facts: () => ({ generations }) } as unknown as KeyControl))
  state.bytesAsked = 0
  return { clock, state }
}

describe("a data key is spent", () => {
  it("by the commits since it was made, without a look at the bytes or a copy of the options", () => {
    const { clock, state } = started({ dataKeyCommitsMax: 20, dataKeyAgeMillisMax: 1 })
    assert.isFalse(clock.isSpent())
    state.commits = 60
    assert.isTrue(clock.isSpent())
    assert.deepInclude(state, { bytesAsked: 0, limitsRead: 0 })
  })

  it("by the bytes since the open", () => {
    const { clock, state } = started({ dataKeyBytesMax: 300 })
    state.bytes = 1299
    assert.isFalse(clock.isSpent())
    state.bytes = 1300
    assert.isTrue(clock.isSpent())
    assert.strictEqual(state.limitsRead, 0)
  })

  it("never without a limit", () => {
    const { clock, state } = started({})
    state.bytes = Number.MAX_SAFE_INTEGER
    assert.isFalse(clock.isSpent())
    assert.strictEqual(state.bytesAsked, 0)
  })
})
