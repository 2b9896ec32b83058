import { describe, expect, it } from "@effect/vitest"
import {
  Flag,
  Kind,
  readRecord,
  recordBytes,
  recordBytesMin,
  recordFields,
  type RecordFields,
  RecordView,
  writeRecord
} from "../../../src/internal/format/record.ts"
import {
  attempt,
  type Dice,
  everyFlip,
  everyTruncation,
  failure,
  hex,
  manySeeds,
  same,
  unhex,
  utf8
} from "./support.ts"

const encode = (fields: RecordFields): Uint8Array => {
  const target = new Uint8Array(recordBytes(fields))
  same(writeRecord(target, 0, fields), target.length)
  return target
}

const decode = (bytes: Uint8Array, offset: number = 0, end: number = bytes.length): RecordView => {
  const view = new RecordView()
  readRecord(bytes, offset, end, view)
  return view
}

const again = (bytes: Uint8Array, view: RecordView): Uint8Array =>
  encode(
    recordFields({
      kind: view.kind,
      key: bytes,
      keyStart: view.keyStart,
      keyEnd: view.keyEnd,
      value: bytes,
      valueStart: view.valueStart,
      valueEnd: view.valueEnd,
      expiresAt: view.expiresAt,
      userMeta: view.userMeta
    })
  )

const canonical = (bytes: Uint8Array): void => {
  const result = attempt(() => decode(bytes))
  if ("value" in result) same(hex(again(bytes, result.value)), hex(bytes.subarray(0, result.value.end)))
}

const randomFields = (dice: Dice): RecordFields => {
  const kind = dice.pick(Object.values(Kind))
  const plain = kind === Kind.remove || kind === Kind.removeRange
  return recordFields({
    kind,
    keyspace: dice.chance(0.5) ? -1 : dice.u32() >>> dice.below(32),
    key: dice.bytes(dice.below(dice.chance(0.1) ? 300 : 20)),
    value: kind === Kind.remove ? new Uint8Array(0) : dice.bytes(dice.below(dice.chance(0.1) ? 300 : 20)),
    expiresAt: plain || dice.chance(0.5) ? 0 : dice.whole(),
    userMeta: plain || dice.chance(0.5) ? 0 : dice.below(256)
  })
}

describe("record", () => {
  it("numbers kinds and flags so, for ever", () => {
    expect(Kind).toEqual({ remove: 0, set: 1, removeRange: 2, valueHandle: 3, merge: 4 })
    expect(Flag).toEqual({ expiry: 1, userMeta: 2 })
  })

  it.each([
    ["a set", { key: utf8("k"), value: utf8("vw") }, "0100016b027677"],
    ["an empty set", {}, "01000000"],
    ["a keyspace", { keyspace: 240, key: utf8("k"), value: utf8("v") }, "010003f0006b0176"],
    ["a remove", { kind: Kind.remove, key: utf8("k") }, "0000016b"],
    ["a removeRange", { kind: Kind.removeRange, key: utf8("a"), value: utf8("b") }, "020001610162"],
    ["a valueHandle", { kind: Kind.valueHandle, key: utf8("k"), value: utf8("h") }, "0300016b0168"],
    ["a merge", { kind: Kind.merge, key: utf8("k"), value: utf8("o") }, "0400016b016f"],
    ["an expiry", { key: utf8("k"), value: utf8("v"), expiresAt: 300 }, "0101016b0176ac02"],
    ["a user meta", { key: utf8("k"), value: utf8("v"), userMeta: 9 }, "0102016b017609"],
    ["both", { key: utf8("k"), value: utf8("v"), expiresAt: 300, userMeta: 9 }, "0103016b0176ac0209"]
  ])("%s has these bytes", (_, given, bytes) => {
    same(hex(encode(recordFields(given))), bytes)
    const read = unhex(bytes)
    same(hex(again(read, decode(read))), bytes)
  })

  it("reads back, in the middle of other bytes", () => {
    manySeeds(20_000, (dice) => {
      const fields = randomFields(dice)
      const bytes = encode(fields)
      const offset = dice.below(5)
      const around = new Uint8Array(offset + bytes.length + 5).fill(255)
      around.set(bytes, offset)
      const view = decode(around, offset)
      same(view.end, offset + bytes.length)
      same(hex(around.subarray(view.valueStart, view.valueEnd)), hex(fields.value))
      same(hex(around.subarray(view.keyStart, view.keyEnd)).endsWith(hex(fields.key)), true)
      expect([view.kind, view.expiresAt, view.userMeta]).toEqual([fields.kind, fields.expiresAt, fields.userMeta])
      same(hex(again(around, view).subarray(0)), hex(bytes))
    })
  })

  it("looks at nothing behind its end", () => {
    manySeeds(300, (dice) => {
      const bytes = encode(randomFields(dice))
      everyTruncation(bytes, (_, length) => failure(() => decode(bytes, 0, length)))
    })
  })

  it.each([
    ["an unknown kind", "0500016b0176", true],
    ["an unknown flag", "0104016b0176", true],
    ["flags on a remove", "0001016b01", false],
    ["a zero expiry", "0101016b017600", false],
    ["a zero user meta", "0102016b017600", false],
    ["a key longer than any", "01008a8004" + "00".repeat(65_547), false],
    ["a value longer than the bytes", "0100016bffffffff0f76", false],
    ["a length that is not canonical", "010081006b0176", false]
  ])("refuses %s", (_, bytes, isUnsupported) => {
    same(failure(() => decode(unhex(bytes))).unsupported, isUnsupported)
  })

  it("refuses to write what it could not read", () => {
    expect(() => encode(recordFields({ kind: Kind.remove, userMeta: 1 }))).toThrow("assertion")
    expect(() => encode(recordFields({ key: new Uint8Array(65_546) }))).toThrow("assertion")
  })

  it("reads damaged and random bytes as a canonical record or refuses them", () => {
    manySeeds(100, (dice) => everyFlip(encode(randomFields(dice)), canonical))
    manySeeds(20_000, (dice) => {
      const bytes = dice.bytes(dice.below(30))
      if (bytes.length > 2) {
        bytes[0] %= 6
        bytes[1] &= 3
        bytes[2] %= 20
      }
      canonical(bytes)
    })
  })

  it("that is cut off is not judged by the bytes behind it", () => {
    const bytes = new Uint8Array(8).fill(0xff)
    for (let length = 0; length < recordBytesMin; length++)
      expect(failure(() => readRecord(bytes, 2, 2 + length, new RecordView())).unsupported, `${length}`).toBe(false)
  })
})
