import { assert, describe, it } from "@effect/vitest"
import { fileHeaderBytes } from "../../../src/internal/format/fileHeader.ts"
import { FormatError } from "../../../src/internal/format/formatError.ts"
import { footerOffset } from "../../../src/internal/structure/tableFacts.ts"
import { tableMeta } from "../../support/fileSession.ts"

describe("tableFacts", () => {
  it("a table without room for its footer is cut off", () => {
    const of = (bytes: number) => footerOffset({ ...tableMeta(1), bytes }, 62)
    assert.strictEqual(of(fileHeaderBytes + 62), fileHeaderBytes)
    for (const bytes of [fileHeaderBytes + 61, 62, 0]) assert.throws(() => of(bytes), FormatError, /cut off/)
  })
})
