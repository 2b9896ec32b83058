import { assert, describe, it } from "@effect/vitest"
import type { ManifestEdit } from "../../../src/internal/format/manifestEdit.ts"
import { applyEdit, noFacts, problemOf, snapshotOf } from "../../../src/internal/structure/manifestState.ts"
import { namingTable, valueFileMeta } from "../../support/fileSession.ts"

const valueFile = (number: number, ...ids: ReadonlyArray<number>) => valueFileMeta(number, ids)

const table = (number: number, ...files: ReadonlyArray<number>) => namingTable(number, files)

/** Value file 4 of its own values, 9 with those of 5 and 6; tables 1 and 2 name values of 4 and 5. */
const state = applyEdit(noFacts, {
  fileNumberNext: 20,
  addTables: [table(1, 4), table(2, 4, 5), table(3)],
  addValueFiles: [valueFile(4, 4), valueFile(9, 5, 6)]
})

const numbers = (edit: ManifestEdit) => applyEdit(state, edit).valueFiles.map(({ number }) => number)

describe("the keyring's number of a manifest's state", () => {
  it("only grows, and is in the edit that makes the state out of nothing", () => {
    assert.isUndefined(snapshotOf(state).keyringNumber)
    const keyed = applyEdit(applyEdit(state, { keyringNumber: 7 }), {})
    assert.strictEqual(snapshotOf(keyed).keyringNumber, 7)
    assert.deepStrictEqual(applyEdit(noFacts, snapshotOf(keyed)), keyed)
    assert.isUndefined(problemOf(keyed, { keyringNumber: 7 }))
    assert.match(problemOf(keyed, { keyringNumber: 6 }) ?? "", /keyring goes back from 7 to 6/)
  })
})

describe("the codecs of a manifest's state", () => {
  const zstd = { id: 1, name: "zstd" }
  const own = { id: 64, name: "own" }
  const known = applyEdit(noFacts, { codecs: [zstd] })

  it("stay, each once, and are in the edit that makes the state out of nothing", () => {
    assert.deepStrictEqual(applyEdit(known, {}).codecs, [zstd])
    const both = applyEdit(known, { codecs: [zstd, own] })
    assert.deepStrictEqual(both.codecs, [zstd, own])
    assert.deepStrictEqual(applyEdit(noFacts, snapshotOf(both)), both)
  })

  it("have one name for each id", () => {
    assert.match(problemOf(known, { codecs: [{ id: 1, name: "other" }] }) ?? "", /codec 1 is "zstd" and "other"/)
    assert.match(problemOf(known, { codecs: [own, { ...own, name: "x" }] }) ?? "", /codec 64 is "own" and "x"/)
    assert.match(problemOf(known, { codecs: [own, own] }) ?? "", /codec 64 is added twice/)
  })
})

describe("the tables of a manifest's state", () => {
  const begun = applyEdit(state, { epoch: 3, logNumberMin: 5 })

  it.each<readonly [string, ManifestEdit, RegExp | undefined]>([
    ["one that is not there is removed", { removeTables: [9] }, /table 9 is removed/],
    ["one is removed twice", { removeTables: [3, 3] }, /table 3 is removed/],
    ["one is added twice", { addTables: [table(3)] }, /table 3 is added twice/],
    ["two of a number are added", { addTables: [table(10), table(10)] }, /table 10 is added twice/],
    ["a number was not given out", { addTables: [table(20)] }, /below 20 were given out/],
    ["a number is given out and used", { addTables: [table(20)], fileNumberNext: 21 }, undefined],
    ["the log goes back", { logNumberMin: 4 }, /goes back from 5 to 4/],
    ["the log goes on", { logNumberMin: 6 }, undefined],
    ["an older epoch follows", { epoch: 2 }, /epoch 2 follows 3/],
    ["the next epoch follows", { epoch: 4 }, undefined]
  ])("%s", (_, edit, message) => {
    const problem = problemOf(begun, edit)
    if (message === undefined) assert.isUndefined(problem)
    else assert.match(problem ?? "", message)
  })
})

describe("the value files of a manifest's state", () => {
  it("come and go, removals first, and are in the edit that makes the state out of nothing", () => {
    assert.deepStrictEqual(numbers({ addValueFiles: [valueFile(10, 10)] }), [4, 9, 10])
    assert.deepStrictEqual(numbers({ removeTables: [1, 2], removeValueFiles: [4] }), [9])
    assert.deepStrictEqual(numbers({ addValueFiles: [valueFile(11, 4, 5)], removeValueFiles: [4, 9] }), [11])
    assert.deepStrictEqual(numbers({ addValueFiles: [valueFile(4, 4)], removeValueFiles: [4] }), [9, 4])
    assert.deepStrictEqual(applyEdit(noFacts, snapshotOf(state)), state)
  })

  it.each<readonly [string, ManifestEdit, RegExp | undefined]>([
    ["a file that is not there is removed", { removeValueFiles: [5] }, /value file 5 is removed/],
    ["a file is removed twice", { removeValueFiles: [9, 9], removeTables: [2] }, /value file 9 is removed/],
    ["a file is added twice", { addValueFiles: [valueFile(4, 10)] }, /value file 4 is added twice/],
    [
      "two files of a number are added",
      { addValueFiles: [10, 11].map((id) => valueFile(12, id)) },
      /12 is added twice/
    ],
    ["a number was not given out", { addValueFiles: [valueFile(20, 10)] }, /not given out/],
    ["an id was not given out", { addValueFiles: [valueFile(10, 10, 20)] }, /not given out/],
    ["values are in two files", { addValueFiles: [valueFile(10, 6)] }, /values of file 6 are in two/],
    ["values are in two new files", { addValueFiles: [valueFile(10, 10), valueFile(11, 10)] }, /values of file 10/],
    ["a new table names what is nowhere", { addTables: [table(10, 7)] }, /table 10 refers to values of file 7/],
    ["a new table names a physical file", { addTables: [table(10, 9)] }, /file 9/],
    ["a new table names what goes", { addTables: [table(10, 6)], removeValueFiles: [9], removeTables: [2] }, /file 6/],
    ["a table is left without its values", { removeValueFiles: [4] }, /table 1 refers to values of file 4/],
    ["a rewritten file lacks a section", { removeValueFiles: [9], addValueFiles: [valueFile(10, 6)] }, /file 5/],
    ["a table goes with its file", { removeTables: [1, 2], removeValueFiles: [4] }, undefined],
    [
      "a rewritten file lacks what nobody names",
      { removeValueFiles: [9], addValueFiles: [valueFile(10, 5)] },
      undefined
    ],
    ["a table comes with its file", { addTables: [table(10, 5, 12)], addValueFiles: [valueFile(12, 12)] }, undefined]
  ])("%s", (_, edit, message) => {
    const problem = problemOf(state, edit)
    if (message === undefined) assert.isUndefined(problem)
    else assert.match(problem ?? "", message)
  })
})
