import { describe, expect, it } from "@effect/vitest"
import { commitHeaderBytes, CommitReader, writeCommitHeader } from "../../../src/internal/format/commit.ts"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { recordBytes, recordFields, RecordView, writeRecord } from "../../../src/internal/format/record.ts"
import {
  attempt,
  Dice,
  everyFlip,
  everyTruncation,
  failure,
  golden,
  hex,
  manySeeds,
  same,
  unhex,
  utf8
} from "./support.ts"

interface Plain {
  readonly sequence: number
  readonly commitMillis: number
  readonly records: ReadonlyArray<readonly [key: string, value: string]>
}

const encode = (commit: Plain): Uint8Array => {
  const records = commit.records.map(([key, value]) => recordFields({ key: utf8(key), value: utf8(value) }))
  const bytes = records.reduce((sum, record) => sum + recordBytes(record), commitHeaderBytes)
  const target = new Uint8Array(bytes)
  writeCommitHeader(target, 0, { ...commit, bytes, count: records.length })
  let at = commitHeaderBytes
  for (const record of records) at = writeRecord(target, at, record)
  return target
}

const text = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes).toString("latin1", start, end)

const decode = (payload: Uint8Array): Array<Plain> => {
  const reader = new CommitReader(payload)
  const view = new RecordView()
  const commits: Array<Plain> = []
  while (reader.next()) {
    const records: Array<[string, string]> = []
    while (reader.nextRecord(view)) {
      records.push([text(payload, view.keyStart, view.keyEnd), text(payload, view.valueStart, view.valueEnd)])
    }
    commits.push({ sequence: reader.sequence, commitMillis: reader.commitMillis, records })
  }
  return commits
}

const sample: ReadonlyArray<Plain> = [
  { sequence: 1, commitMillis: 1.5, records: [["a", "b"]] },
  { sequence: 2 ** 53 - 1, commitMillis: 0, records: [] },
  {
    sequence: 2 ** 32,
    commitMillis: 1e12,
    records: [
      ["c", ""],
      ["d", "e"]
    ]
  }
]

const encodeAll = (commits: ReadonlyArray<Plain>): Uint8Array => concatBytes(commits.map(encode))

const damaged = (change: (bytes: Uint8Array) => void): Uint8Array => {
  const bytes = encode(sample[0])
  change(bytes)
  return bytes
}

describe("commit", () => {
  it("has these bytes", () => {
    const bytes = "1e000000 01000000 0100000000000000 000000000000f83f 010001610162"
    same(hex(encode(sample[0])), golden(bytes))
    expect(decode(unhex(bytes))).toEqual([sample[0]])
  })

  it("reads back, several in a payload", () => {
    expect(decode(encodeAll(sample))).toEqual(sample)
    expect(decode(new Uint8Array(0))).toEqual([])
    manySeeds(2000, (dice) => {
      const commits = Array.from({ length: dice.below(5) }, () => ({
        sequence: dice.whole(),
        commitMillis: dice.whole() / 8,
        records: Array.from({ length: dice.below(5) }, () => [`${dice.below(99)}`, `${dice.u32()}`] as const)
      }))
      expect(decode(encodeAll(commits))).toEqual(commits)
    })
  })

  it("can read a part of its bytes, and commits whose records are passed over", () => {
    const payload = concatBytes([utf8("xyz"), encodeAll(sample), utf8("uvw")])
    const reader = new CommitReader()
    reader.reset(payload, 3, payload.length - 3)
    const sequences: Array<number> = []
    while (reader.next()) sequences.push(reader.sequence)
    expect(sequences).toEqual(sample.map((commit) => commit.sequence))
  })

  it("refuses a payload cut anywhere but between commits", () => {
    const ends = new Set([0, 30, 54])
    everyTruncation(encodeAll(sample), (bytes, length) => {
      if (ends.has(length)) decode(bytes)
      else failure(() => decode(bytes))
    })
  })

  it("refuses counts and lengths that do not fit exactly", () => {
    failure(() => decode(damaged((bytes) => (bytes[0] = 23))))
    failure(() => decode(damaged((bytes) => (bytes[0] = 31))))
    failure(() => decode(damaged((bytes) => (bytes[4] = 0))))
    failure(() => decode(damaged((bytes) => (bytes[4] = 2))))
    failure(() => decode(damaged((bytes) => bytes.fill(255, 4, 8))))
    failure(() => decode(damaged((bytes) => bytes.fill(255, 8, 16))))
    failure(() => decode(damaged((bytes) => bytes.fill(255, 16, 24))))
  })

  it("checks its bounds before a record is read", () => {
    const reader = new CommitReader()
    const next = (payload: Uint8Array, end: number) => () => {
      reader.reset(payload, 0, end)
      reader.next()
    }
    failure(next(concatBytes([damaged((bytes) => (bytes[0] = 31)), Uint8Array.of(0)]), 30))
    failure(
      next(
        damaged((bytes) => bytes.fill(255, 4, 8)),
        30
      )
    )
  })

  it("reads damaged and random bytes to an end or refuses them", () => {
    everyFlip(encodeAll(sample), (bytes) => attempt(() => decode(bytes)))
    const dice = new Dice(1)
    for (let round = 0; round < 20_000; round++) {
      const bytes = dice.bytes(dice.below(80))
      if (bytes.length >= 24) bytes.set([dice.below(bytes.length + 2), 0, 0, 0, dice.below(9), 0, 0, 0])
      attempt(() => decode(bytes))
    }
  })
})
