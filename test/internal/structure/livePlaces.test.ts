import { assert, describe, it } from "@effect/vitest"
import { FileDamage } from "../../../src/internal/structure/fileDamage.ts"
import { LivePlaces } from "../../../src/internal/structure/livePlaces.ts"
import { buildValues, openValues, type PlainValue } from "../../support/valueFiles.ts"

/** More than fit into what is read of an index at once. */
const count = 5000
const values: ReadonlyArray<PlainValue> = Array.from({ length: count }, (_, index) => ({
  id: 3,
  index: 2 * index,
  key: "k",
  sequence: 1,
  value: new Uint8Array(1)
}))
const built = buildValues(values)
const parts = openValues(built)

/** The places, and how many reads and pauses it took to find them. */
const found = (...live: ReadonlyArray<number>) => {
  const places = new LivePlaces({ parts, id: 3, live: Uint32Array.from(live) })
  const asked: Array<string> = []
  for (let request = places.next(); request !== undefined; request = places.next()) {
    asked.push(request._tag)
    if (request._tag !== "Read") places.feed(undefined)
    else places.feed(built.bytes.slice(request.offset, request.offset + request.length))
  }
  return { asked, indexes: places.places.map(({ index }) => index), storedBytes: places.storedBytes }
}

describe("livePlaces", () => {
  it("are read piece by piece, with a pause after each, as far as the last that lives", () => {
    const all = found(...values.map(({ index }) => index))
    assert.lengthOf(all.indexes, count)
    assert.deepStrictEqual(all.asked, ["Read", "Pause", "Read"])
    const few = found(0, 8, 40)
    assert.deepStrictEqual(few.indexes, [0, 8, 40])
    assert.deepStrictEqual(few.asked, ["Read"])
    assert.strictEqual(few.storedBytes, (3 * all.storedBytes) / count)
    assert.deepStrictEqual(found().asked, [])
  })

  it("of values that the index does not have are damage of the file", () => {
    for (const live of [[1], [0, 9997], [2 * count], [0, 2 * count + 2]]) {
      assert.throws(() => found(...live), FileDamage, /which a table names, is not in the index/)
    }
  })
})
