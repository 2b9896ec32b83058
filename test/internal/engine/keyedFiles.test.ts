import { assert, describe, it } from "@effect/vitest"
import { KeyedFiles, type Rewriter } from "../../../src/internal/engine/keyedFiles.ts"
import { FileKind } from "../../../src/internal/format/fileHeader.ts"
import type { LiveView } from "../../../src/internal/engine/view.ts"
import { Corruption, fail } from "../../../src/services/DatabaseError.ts"

const metas = (count: number, keyGeneration: number) =>
  Array.from({ length: count }, (_, index) => ({ meta: { number: index + 1, bytes: 1, keyGeneration } }))

const kit = (damaged: { readonly tables: ReadonlySet<number>; readonly values: ReadonlySet<number> }) => {
  const asked = { tables: 0, values: 0 }
  const rewriter = (kind: "tables" | "values"): Rewriter => ({
    failing: undefined,
    damageOf: (number) => {
      asked[kind] += 1
      if (!damaged[kind].has(number)) return undefined
      return fail(new Corruption({ message: `${kind} ${number}`, file: kind, offset: 0 }))
    }
  })
  const live = { tables: [...metas(3, 2), ...metas(3, 1)], valueFiles: metas(1000, 1) } as unknown as LiveView
  return { asked, files: new KeyedFiles(live, { tables: rewriter("tables"), values: rewriter("values") }) }
}

describe("a file that is held", () => {
  it("is one that the view holds; a log or a manifest is never", () => {
    const held: Array<string> = []
    const isHeld = (kind: string, number: number) => {
      held.push(`${kind} ${number}`)
      return number === 1
    }
    const none = { failing: undefined, damageOf: () => undefined }
    const files = new KeyedFiles({ isHeld } as unknown as LiveView, { tables: none, values: none })
    assert.isTrue(files.isHeld({ kind: FileKind.table, number: 1 }))
    assert.isFalse(files.isHeld({ kind: FileKind.valueFile, number: 2 }))
    assert.isFalse(files.isHeld({ kind: FileKind.log, number: 1 }))
    assert.deepStrictEqual(held, ["table 1", "value 2"])
  })
})

describe("the damage of the oldest files", () => {
  it("is asked of none behind the first that has none", () => {
    const whole = kit({ tables: new Set(), values: new Set() })
    assert.isUndefined(whole.files.damage())
    assert.deepStrictEqual(whole.asked, { tables: 1, values: 0 })
    const tables = kit({ tables: new Set([1, 2, 3]), values: new Set([1]) })
    assert.isUndefined(tables.files.damage())
    assert.deepStrictEqual(tables.asked, { tables: 3, values: 2 })
  })

  it("is that of the first if each is damaged", () => {
    const all = new Set(Array.from({ length: 1000 }, (_, index) => index + 1))
    assert.strictEqual(kit({ tables: all, values: all }).files.damage()?.reason.message, "tables 1")
  })
})
