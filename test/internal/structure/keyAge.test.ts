import { assert, describe, it } from "@effect/vitest"
import {
  bytesSince,
  isKeyDue,
  type KeyAge,
  keyDueInMillis,
  type KeyLimits
} from "../../../src/internal/structure/keyAge.ts"

const none: KeyLimits = { dataKeyBytesMax: undefined, dataKeyCommitsMax: undefined, dataKeyAgeMillisMax: undefined }
const limits: KeyLimits = { dataKeyBytesMax: 1000, dataKeyCommitsMax: 50, dataKeyAgeMillisMax: 5000 }
const young: KeyAge = { commits: 49, bytes: 999, millis: 4999, openMillis: 4999 }

describe("a data key", () => {
  it.each([
    { name: "is not due within its limits", age: young, due: false },
    { name: "is due by its commits, whatever the clock says", age: { ...young, commits: 50, millis: -1 }, due: true },
    { name: "is due by its bytes", age: { ...young, bytes: 1000 }, due: true },
    { name: "is due by the clock", age: { ...young, millis: 5000 }, due: true },
    { name: "is not due by a clock that went back a little", age: { ...young, millis: -4999 }, due: false },
    {
      name: "is due by the time it was open, if the clock stands still",
      age: { ...young, millis: 0, openMillis: 5000 },
      due: true
    },
    {
      name: "is due if it was made in a future that is far away",
      age: { ...young, millis: -1e12, openMillis: 0 },
      due: true
    }
  ])("$name", ({ age, due }) => {
    assert.strictEqual(isKeyDue(age, limits), due)
    assert.isFalse(isKeyDue(age, none))
  })

  it("is due by its age after what is left of it, by the clock that is ahead", () => {
    assert.strictEqual(keyDueInMillis({ ...young, millis: 1000, openMillis: 300 }, limits), 4000)
    assert.strictEqual(keyDueInMillis({ ...young, millis: -700, openMillis: 1300 }, limits), 3700)
    assert.strictEqual(keyDueInMillis(young, none), Infinity)
  })

  it("has first sealed what is newer than itself, with its values", () => {
    const table = (keyGeneration: number, sequenceMin: number, bytes: number) => ({
      keyGeneration,
      sequenceMin,
      bytes,
      valueRefs: [{ bytes: 3 }, { bytes: 4 }]
    })
    const key = { generation: 2, createdSequence: 10 }
    assert.strictEqual(bytesSince(key, []), 0)
    const tables = [table(1, 3, 100), table(2, 10, 200), table(2, 11, 400), table(3, 12, 800), table(2, 90, 1600)]
    assert.strictEqual(bytesSince(key, tables), 2014)
  })
})
