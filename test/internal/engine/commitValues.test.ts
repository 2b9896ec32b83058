import { assert, it } from "@effect/vitest"
import { CommitValues } from "../../../src/internal/engine/commitValues.ts"
import type { LiveView } from "../../../src/internal/engine/view.ts"
import type { ValueFile } from "../../../src/services/ValueLog.ts"

it("the values of a commit are those of the files that it brings along, and no others", () => {
  const pinned: Array<ValueFile> = []
  const pinValue = (file: ValueFile) => {
    pinned.push(file)
    return () => {}
  }
  const live = { pinValue } as unknown as LiveView
  const holding = new Set<CommitValues>()
  const values = new CommitValues(live, holding)
  const file = { meta: { number: 3, sections: [{ id: 3 }, { id: 5 }] } } as unknown as ValueFile
  assert.isUndefined(values.valueFile(3))
  values.add(file)
  assert.deepStrictEqual([values.files, pinned, [...holding]], [[file], [file], [values]])
  assert.strictEqual(values.valueFile(5), file)
  assert.isUndefined(values.valueFile(4))
})
