import { describe, expect, it } from "@effect/vitest"
import { decodeEdit, encodeEdit, type ManifestEdit } from "../../../src/internal/format/manifestEdit.ts"
import type { TableMeta } from "../../../src/internal/format/tableMeta.ts"
import type { ValueFileMeta } from "../../../src/internal/format/valueFileMeta.ts"
import {
  attempt,
  type Dice,
  everyFlip,
  everyTruncation,
  failure,
  golden,
  hex,
  manySeeds,
  unhex,
  utf8
} from "./support.ts"

const table: TableMeta = {
  number: 5,
  level: 1,
  bytes: 300,
  fileId: new Uint8Array(32).fill(0xee),
  footerCrc: 0x04030201,
  smallest: utf8("a"),
  largest: utf8("b"),
  entryCount: 10,
  removeCount: 2,
  rangeRemovalCount: 1,
  hiddenCount: 1,
  sequenceMin: 3,
  sequenceMax: 4,
  epoch: 6,
  keyGeneration: 7,
  codec: 3,
  valueRefs: [
    { file: 2, count: 3, bytes: 300 },
    { file: 4, count: 5, bytes: 0 }
  ]
}

const tableHex = `05 01 ac02 ${"ee".repeat(32)} 01020304 01 61 01 62 0a 02 01 01 03 04 06 07 03 02 02 03 ac02 04 05 00`

const valueFile: ValueFileMeta = {
  number: 9,
  bytes: 300,
  fileId: new Uint8Array(32).fill(0xdd),
  footerCrc: 0x04030201,
  epoch: 6,
  keyGeneration: 8,
  sections: [
    { id: 2, count: 3, bytes: 300 },
    { id: 9, count: 1, bytes: 0 }
  ]
}

const valueFileHex = `09 ac02 ${"dd".repeat(32)} 01020304 06 08 02 02 03 ac02 09 01 00`

const full: ManifestEdit = {
  encryptionName: "none",
  requiredFeatures: ["x", "y"],
  logNumberMin: 1,
  fileNumberNext: 2,
  sequencesReserved: 300,
  addTables: [table],
  removeTables: [7, 8],
  cleanShutdown: { lastLsn: 9, lastSequence: 300 },
  commitMillisMax: 1.5,
  snapshotEnd: true,
  lsnDurable: 10,
  quarantine: [11],
  historyFloor: 12,
  epoch: 13,
  addValueFiles: [valueFile],
  removeValueFiles: [14],
  codecs: [
    { id: 1, name: "zstd" },
    { id: 64, name: "x" }
  ],
  epochId: new Uint8Array(16).fill(0xee),
  keyringNumber: 300
}

const fullHex = `
  02 04 6e6f6e65  04 01 78  04 01 79  06 01 01  08 01 02  0a 02 ac02  0c 3d ${tableHex}  0e 01 07  0e 01 08
  10 03 09 ac02  12 08 000000000000f83f  14 00  16 01 0a  18 01 0b  1a 01 0c  1c 01 0d
  1e 31 ${valueFileHex}  20 01 0e  22 05 01 7a737464  22 02 40 78
  24 10 ${"ee".repeat(16)}  26 02 ac02`

const randomTable = (dice: Dice): TableMeta => {
  const keys = [dice.bytes(dice.below(9)), dice.bytes(dice.below(9))].sort(Buffer.compare)
  const numbers = [dice.whole(), dice.whole()].sort((a, b) => a - b)
  return {
    number: dice.whole(),
    level: dice.below(64),
    bytes: dice.whole(),
    fileId: dice.bytes(32),
    footerCrc: dice.u32(),
    smallest: keys[0],
    largest: keys[1],
    entryCount: numbers[1],
    removeCount: numbers[0],
    rangeRemovalCount: Math.floor(numbers[0] / 2),
    hiddenCount: Math.floor(numbers[0] / 3),
    sequenceMin: numbers[0],
    sequenceMax: numbers[1],
    epoch: dice.u32(),
    keyGeneration: dice.u32(),
    codec: dice.below(256),
    valueRefs: ascending(dice, Math.min(dice.below(4), numbers[1] - numbers[0])).map((file) => ({
      file,
      count: 1,
      bytes: dice.whole()
    }))
  }
}

/** Different whole numbers. */
const ascending = (dice: Dice, count: number): Array<number> => {
  const numbers = new Set<number>()
  while (numbers.size < count) numbers.add(dice.whole())
  return [...numbers].sort((a, b) => a - b)
}

const randomValueFile = (dice: Dice): ValueFileMeta => ({
  number: dice.whole(),
  bytes: dice.whole(),
  fileId: dice.bytes(32),
  footerCrc: dice.u32(),
  epoch: dice.u32(),
  keyGeneration: dice.u32(),
  sections: ascending(dice, 1 + dice.below(4)).map((id) => ({
    id,
    count: 1 + dice.below(300),
    bytes: dice.u32() % 2 ** 28
  }))
})

const list = <A>(dice: Dice, make: () => A): Array<A> => Array.from({ length: 1 + dice.below(3) }, make)

const randomEdit = (dice: Dice): ManifestEdit => {
  const fields: ManifestEdit = {
    encryptionName: dice.pick(["", "none", "aes-256-gcm", "名", "\uFEFFx"]),
    requiredFeatures: list(dice, () => `feature ${dice.below(9)}`),
    logNumberMin: dice.whole(),
    fileNumberNext: dice.whole(),
    sequencesReserved: dice.whole(),
    addTables: list(dice, () => randomTable(dice)),
    removeTables: list(dice, () => dice.whole()),
    cleanShutdown: { lastLsn: dice.whole(), lastSequence: dice.whole() },
    commitMillisMax: dice.whole() / 4,
    snapshotEnd: true,
    lsnDurable: dice.whole(),
    quarantine: list(dice, () => dice.whole()),
    historyFloor: dice.whole(),
    epoch: dice.whole(),
    addValueFiles: list(dice, () => randomValueFile(dice)),
    removeValueFiles: list(dice, () => dice.whole()),
    codecs: list(dice, () => ({ id: dice.below(256), name: dice.pick(["zstd", "", "名"]) })),
    epochId: dice.chance(0.5) ? dice.bytes(16) : undefined,
    keyringNumber: dice.whole()
  }
  return Object.fromEntries(Object.entries(fields).filter(() => dice.chance(0.5)))
}

describe("manifestEdit", () => {
  it("has these bytes", () => {
    expect(hex(encodeEdit(full))).toBe(golden(fullHex))
    expect(decodeEdit(unhex(fullHex))).toEqual(full)
    expect(hex(encodeEdit({}))).toBe("")
    expect(decodeEdit(new Uint8Array(0))).toEqual({})
  })

  it("reads back", () => {
    manySeeds(3000, (dice) => {
      const edit = randomEdit(dice)
      expect(decodeEdit(encodeEdit(edit))).toEqual(edit)
    })
  })

  it("skips an unknown odd field and refuses an unknown even one as of a later version", () => {
    expect(decodeEdit(unhex("06 01 01  07 02 ffff  07 00  08 01 02"))).toEqual({ logNumberMin: 1, fileNumberNext: 2 })
    expect(failure(() => decodeEdit(unhex("06 01 01  28 01 00"))).unsupported).toBe(true)
    expect(failure(() => decodeEdit(unhex("00 00"))).unsupported).toBe(false)
  })

  it.each([
    ["a field twice", "06 01 01  06 01 01"],
    ["fields out of order", "08 01 01  06 01 01"],
    ["a field longer than its value", "06 02 01 00"],
    ["a field shorter than its value", "06 01 80"],
    ["a field without its value", "06 00"],
    ["a length behind the end", "06 7f 01"],
    ["a value where none belongs", "14 01 00"],
    ["a name that is not UTF-8", "02 01 ff"],
    ["a codec without an id", "22 00"],
    ["an epoch id of 15 bytes", `24 0f ${"ee".repeat(15)}`],
    ["a codec whose name is not UTF-8", "22 02 01 ff"],
    ["a name that is too long", `02 8002 ${"61".repeat(256)}`],
    ["a time that is not a number", "12 08 000000000000f87f"],
    ["a table with reversed keys", `0c 3d ${tableHex.replace("01 61 01 62", "01 62 01 61")}`],
    ["a table with reversed sequences", `0c 3d ${tableHex.replace("03 04 06", "04 03 06")}`],
    ["a table with more removes than entries", `0c 3d ${tableHex.replace("0a 02", "02 0a")}`],
    [
      "a table that names values of one file twice",
      `0c 3d ${tableHex.replace("02 02 03 ac02 04", "02 04 03 ac02 04")}`
    ],
    ["a table that names no value of a file", `0c 3d ${tableHex.replace("04 05 00", "04 00 00")}`],
    ["a table that names more values than it has", `0c 3d ${tableHex.replace("04 05 00", "04 06 00")}`],
    ["a value file without sections", `1e 2a 09 ac02 ${"dd".repeat(32)} 01020304 06 08 00`],
    ["a value file with a section twice", `1e 31 ${valueFileHex.replace("02 03 ac02 09", "09 03 ac02 09")}`],
    ["a value file with a section of no values", `1e 31 ${valueFileHex.replace("09 01 00", "09 00 00")}`],
    ["a value file with values too long", `1e 35 ${valueFileHex.replace("09 01 00", "09 01 8180808001")}`],
    ["a table at level 64", `0c 3d ${tableHex.replace("05 01", "05 40")}`]
  ])("refuses %s", (_, bytes) => {
    expect(failure(() => decodeEdit(unhex(bytes))).unsupported).toBe(false)
  })

  it("refuses to write what it could not read", () => {
    expect(() => encodeEdit({ encryptionName: "\ud800" })).toThrow("assertion")
    expect(() => encodeEdit({ encryptionName: "x".repeat(256) })).toThrow("assertion")
    expect(() => encodeEdit({ epoch: -1 })).toThrow("assertion")
    expect(() => encodeEdit({ addTables: [{ ...table, smallest: utf8("c") }] })).toThrow("assertion")
  })

  it("reads damaged and random bytes as the edit that encodes so, but for skipped fields, or refuses them", () => {
    const check = (bytes: Uint8Array): void => {
      const result = attempt(() => decodeEdit(bytes))
      if (!("value" in result)) return
      const again = encodeEdit(result.value)
      expect(again.length).toBeLessThanOrEqual(bytes.length)
      if (again.length === bytes.length) expect(hex(again)).toBe(hex(bytes))
    }
    everyFlip(encodeEdit(full), check)
    everyTruncation(encodeEdit(full), check)
    manySeeds(20_000, (dice) => {
      const bytes = dice.bytes(dice.below(40))
      for (let at = 0; at + 1 < bytes.length; at += 3) bytes.set([dice.below(16) * 2, dice.below(4)], at)
      check(bytes)
    })
  })
})
