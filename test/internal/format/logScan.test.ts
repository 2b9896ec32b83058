import { describe, expect, it } from "@effect/vitest"
import { concatBytes, writeU32, writeU64 } from "../../../src/internal/format/bytes.ts"
import { crc32Range } from "../../../src/internal/format/checksum.ts"
import { FrameKind, framePayloadMax, FrameWriter } from "../../../src/internal/format/logFrame.ts"
import { payloadOf, scanSegment, type SegmentScan } from "../../../src/internal/format/logScan.ts"
import { checksumSealer, type Sealer } from "../../../src/internal/format/sealer.ts"
import {
  attempt,
  Dice,
  everyFlip,
  everyTruncation,
  failure,
  hex,
  invertingSealer,
  testHeader,
  utf8
} from "./support.ts"

const sealers: ReadonlyArray<[string, Sealer]> = [
  ["checksums", checksumSealer],
  ["a cipher", invertingSealer]
]

const headerFor = (sealer: Sealer, given?: { readonly fileId?: Uint8Array }) =>
  testHeader({ tagBytes: sealer.tagBytes, keyGeneration: sealer.keyGeneration, ...given })

const begin = (sealer: Sealer = checksumSealer): FrameWriter =>
  new FrameWriter({ header: headerFor(sealer), sealer, lsn: 10 })

const base = { previousSegment: 6, finalLsn: 10, finalChain: 99 }

const scan = (bytes: Uint8Array, sealer: Sealer = checksumSealer): SegmentScan =>
  scanSegment({ bytes, fileNumber: 7, expected: { lsn: 10, chain: 99 }, sealerFor: () => sealer })

const payloads = (result: SegmentScan): ReadonlyArray<string> =>
  result.groups.map((group) => Buffer.from(payloadOf(group)).toString("latin1"))

/** LINK 11, "one" 12, "two" 13, mark 14, "three" 15. Nothing but the LINK promises anything, unless given. */
const frames = (sealer: Sealer = checksumSealer, promise: number = 10): ReadonlyArray<Uint8Array> => {
  const writer = begin(sealer)
  return [
    [writer.fileHeader],
    writer.link(base),
    writer.group([utf8("one")], 10),
    writer.group([utf8("two")], 10),
    writer.syncMark(promise),
    writer.group([utf8("three")], promise)
  ].map(concatBytes)
}

/** The frame with another header or payload, and checksums that fit. */
const forged = (frame: Uint8Array, change: (header: Uint8Array) => void, payload?: Uint8Array): Uint8Array => {
  const header = frame.slice(0, 36)
  const body = payload ?? frame.slice(36, -4)
  writeU32(header, 4, body.length)
  change(header)
  writeU32(header, 0, crc32Range(header, 4, 36))
  return concatBytes([header, body, checksumSealer.seal(header, body).tag])
}

const big = (letter: string, length: number): Uint8Array => new Uint8Array(length).fill(letter.charCodeAt(0))

describe("logScan with a sealer that is broken", () => {
  const bytes = concatBytes(frames(invertingSealer))

  it("throws on what it dies of, and takes it for no torn end", () => {
    const bug = new TypeError("a bug of the cipher")
    const open = () => {
      throw bug
    }
    expect(() => scan(bytes, { ...invertingSealer, open })).toThrow(bug)
  })

  it("takes plain bytes of another length than the frame's for none", () => {
    const longer: Sealer["open"] = (...parts) => concatBytes([invertingSealer.open(...parts), Uint8Array.of(0)])
    expect(payloads(scan(bytes, { ...invertingSealer, open: longer }))).toEqual([])
  })
})

describe.each(sealers)("logScan with %s", (_, sealer) => {
  it("reads groups, marks and the seal", () => {
    const writer = begin(sealer)
    const bytes = concatBytes([
      writer.fileHeader,
      ...writer.link(base),
      ...writer.group([utf8("o"), utf8("ne")], 10),
      ...writer.syncMark(12),
      ...writer.group([], 12),
      ...writer.sealed(14)
    ])
    const result = scan(bytes, sealer)
    expect(payloads(result)).toEqual(["one", ""])
    expect(result.groups.map((group) => [group.firstLsn, group.lastLsn])).toEqual([
      [12, 12],
      [14, 14]
    ])
    expect(result.link).toEqual(base)
    expect(result.sealed).toBe(true)
    expect(result.end).toEqual({ ...writer.position(), offset: bytes.length })
    expect(result.tail).toMatchObject({ kind: "clean", bytes: 0, promised: 0 })
    expect(result.promised).toBe(14)
  })

  it("joins a group of several frames", () => {
    const writer = begin(sealer)
    const payload = concatBytes([big("a", framePayloadMax), big("b", framePayloadMax), big("c", 3)])
    const bytes = concatBytes([writer.fileHeader, ...writer.link(base), ...writer.group([payload], 10)])
    const { groups, tail } = scan(bytes, sealer)
    expect(tail.kind).toBe("clean")
    expect(groups).toHaveLength(1)
    expect(Buffer.compare(payloadOf(groups[0]), payload)).toBe(0)
    expect(groups[0]).toMatchObject({ firstLsn: 12, lastLsn: 14, frameEnd: bytes.length })
  })

  it("cut at any length, gives the whole groups before the cut and a tail", () => {
    const bytes = concatBytes(frames(sealer))
    const ends = frames(sealer).map((_, index) => concatBytes(frames(sealer).slice(0, index + 1)).length)
    everyTruncation(bytes, (cut, length) => {
      if (length < ends[0]) return failure(() => scan(cut, sealer))
      const whole = ends.filter((end) => end <= length)
      const result = scan(cut, sealer)
      const groups = [0, 0, 1, 2, 2, 3][whole.length - 1]
      expect(payloads(result)).toEqual(["one", "two", "three"].slice(0, groups))
      expect(result.tail).toMatchObject({
        kind: ends.includes(length) ? "clean" : "torn",
        offset: whole.at(-1),
        bytes: length - (whole.at(-1) ?? 0)
      })
      expect(result.end.lsn).toBe(10 + whole.length - 1)
      return undefined
    })
  })

  it("tells a frame that was changed or moved from one that is cut off, where there is a key", () => {
    const isKeyed = sealer !== checksumSealer
    const parts = frames(sealer)
    const bytes = concatBytes(parts)
    const last = bytes.length - parts.at(-1)!.length
    const tailOf = (changed: Uint8Array) => scan(changed, sealer).tail
    expect(tailOf(bytes.slice(0, last + 10)).tampered).toBe(false)
    expect(tailOf(bytes.map((byte, at) => (at === last + 6 ? byte ^ 1 : byte))).tampered).toBe(false)
    expect(tailOf(bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte))).tampered).toBe(isKeyed)
    expect(tailOf(concatBytes([...parts.slice(0, -2), parts.at(-1)!])).tampered).toBe(isKeyed)
    expect(tailOf(concatBytes([...parts, parts.at(-1)!])).tampered).toBe(isKeyed)
  })

  it("never takes a flipped bit for what was written", () => {
    const parts = frames(sealer)
    const bytes = concatBytes(parts)
    const headerEnd = parts[0].length
    everyFlip(bytes, (damaged, place) => {
      const result = attempt(() => scan(damaged, sealer))
      if ("error" in result) return expect(Number(place.split(" ")[4])).toBeLessThan(headerEnd)
      const read = payloads(result.value)
      expect(read.length).toBeLessThan(4)
      expect(["one", "two", "three"].slice(0, read.length)).toEqual(read)
      expect(result.value.tail.kind).not.toBe("clean")
      return undefined
    })
  })
})

describe("what follows the last whole frame", () => {
  it("is zeros", () => {
    const bytes = concatBytes([...frames(), new Uint8Array(100)])
    expect(scan(bytes).tail).toMatchObject({ kind: "zeros", bytes: 100 })
  })

  it("is nothing valid", () => {
    const bytes = concatBytes([...frames(), new Dice(1).bytes(1000)])
    expect(scan(bytes).tail).toMatchObject({ kind: "torn", bytes: 1000, lsnMax: 0 })
  })

  it("is valid frames of another file: nothing valid", () => {
    const other = new FrameWriter({
      header: headerFor(checksumSealer, { fileId: new Uint8Array(32).fill(9) }),
      sealer: checksumSealer,
      lsn: 15
    })
    const bytes = concatBytes([...frames(), ...other.group([utf8("stale")], 15)])
    expect(scan(bytes).tail).toMatchObject({ kind: "torn", lsnMax: 0, promised: 0 })
  })

  it("is later frames that promise nothing behind a damaged one", () => {
    const parts = frames()
    parts[2][40] ^= 1
    const result = scan(concatBytes(parts))
    expect(payloads(result)).toEqual([])
    expect(result.end.lsn).toBe(11)
    expect(result.tail).toMatchObject({ kind: "reordered", lsnMax: 15, promised: 10 })
  })

  it("is later frames that promise the damaged one, found behind garbage of any length", () => {
    for (const length of [0, 1, 2, 3, 4, 35, 36, 37, 5000]) {
      const parts = frames(checksumSealer, 13)
      const bytes = concatBytes([parts[0], parts[1], new Dice(length).bytes(length), ...parts.slice(3)])
      expect(scan(bytes).tail).toMatchObject({ kind: "reordered", lsnMax: 15, promised: 13 })
      expect(scan(bytes).promised).toBe(13)
    }
  })

  it("is what an older frame repeats: not a later one", () => {
    const parts = frames()
    const bytes = concatBytes([...parts.slice(0, 3), new Uint8Array(3), parts[2]])
    expect(scan(bytes).tail).toMatchObject({ kind: "torn", lsnMax: 0 })
  })

  it("is a later frame whose payload looks like frames, which is not searched", () => {
    const inner = begin()
    inner.lsn = 20
    const liar = concatBytes(inner.syncMark(20))
    const writer = begin()
    const start = concatBytes([writer.fileHeader, ...writer.link(base)])
    writer.group([], 10)
    const bytes = concatBytes([start, new Uint8Array(9), ...writer.group([liar], 10)])
    expect(scan(bytes).tail).toMatchObject({ kind: "reordered", lsnMax: 13, promised: 10 })
  })

  it("is a frame of another history of the same segment", () => {
    const other = begin()
    const history = [other.link(base), other.group([utf8("uno")], 10), other.group([utf8("dos")], 10)].map(concatBytes)
    const bytes = concatBytes([...frames().slice(0, 3), history[2]])
    expect(payloads(scan(bytes))).toEqual(["one"])
    expect(scan(bytes).tail).toMatchObject({ kind: "reordered", lsnMax: 13 })
  })

  it("is a frame cut off or longer than allowed, and it says so", () => {
    const parts = frames()
    expect(scan(concatBytes(parts).slice(0, -1)).tail.reason).toContain("cut off")
    const long = forged(parts[2], () => {}, new Uint8Array(framePayloadMax + 1))
    const result = scan(concatBytes([parts[0], parts[1], long]))
    expect(result.groups).toEqual([])
    expect(result.tail.reason).toContain("longer than allowed")
  })

  it("is a group without its end, and the promises inside it count", () => {
    const writer = begin()
    const start = concatBytes([writer.fileHeader, ...writer.link(base), ...writer.group([utf8("one")], 10)])
    const position = writer.position()
    const group = writer.group([new Uint8Array(framePayloadMax * 3)], 12)
    for (const kept of [1, 2]) {
      const bytes = concatBytes([start, ...group.slice(0, kept * 3)])
      const result = scan(bytes)
      expect(payloads(result)).toEqual(["one"])
      expect(result.end).toEqual({ ...position, offset: start.length })
      expect(result.tail).toMatchObject({ kind: "incompleteGroup", lsnMax: 12 + kept, promised: 12 })
    }
    const cut = concatBytes([start, ...group.slice(0, 5)])
    expect(scan(cut).tail).toMatchObject({ kind: "incompleteGroup", bytes: cut.length - start.length })
  })
})

describe("a segment that makes no sense", () => {
  const written = (write: (writer: FrameWriter) => ReadonlyArray<Uint8Array>): Uint8Array => {
    const writer = begin()
    return concatBytes([writer.fileHeader, ...write(writer)])
  }
  const empty = { syncedLsn: 10, chunks: [] }

  it.each<[string, (writer: FrameWriter) => ReadonlyArray<Uint8Array>]>([
    ["does not begin with LINK", (writer) => writer.group([utf8("one")], 10)],
    ["has two LINKs", (writer) => [...writer.link(base), ...writer.link({ ...base, finalLsn: 11 })]],
    ["names another end in its LINK", (writer) => writer.link({ ...base, finalChain: 98 })],
    ["goes on behind its seal", (writer) => [...writer.link(base), ...writer.sealed(10), ...writer.syncMark(10)]],
    ["has a LAST without FIRST", (writer) => [...writer.link(base), ...writer.frame({ kind: 4, ...empty })]],
    ["has a MIDDLE without FIRST", (writer) => [...writer.link(base), ...writer.frame({ kind: 3, ...empty })]],
    [
      "has a FULL inside a group",
      (writer) => [...writer.link(base), ...writer.frame({ kind: 2, ...empty }), ...writer.group([], 10)]
    ],
    [
      "has a mark with a payload",
      (writer) => [...writer.link(base), ...writer.frame({ kind: 6, syncedLsn: 10, chunks: [utf8("x")] })]
    ],
    [
      "has a LINK with another payload",
      (writer) => writer.frame({ kind: FrameKind.link, syncedLsn: 10, chunks: [new Uint8Array(19)] })
    ]
  ])("%s: refused", (_, write) => {
    expect(failure(() => scan(written(write))).unsupported).toBe(false)
  })

  it.each<[string, (header: Uint8Array) => void]>([
    ["promises itself", (header) => writeU32(header, 20, 12)],
    ["names another key", (header) => (header[10] = 1)]
  ])("has a frame that %s: refused", (_, change) => {
    const parts = frames()
    failure(() => scan(concatBytes([parts[0], parts[1], forged(parts[2], change)])))
  })

  it("has a frame with a flag: refused as of a later version", () => {
    const parts = frames()
    const flagged = forged(parts[2], (header) => (header[9] = 1))
    expect(failure(() => scan(concatBytes([parts[0], parts[1], flagged]))).unsupported).toBe(true)
  })

  it("has a LINK that promises nothing: its final LSN is a promise all the same", () => {
    const bytes = written((writer) => {
      const chunks = [concatBytes(begin().link(base)).slice(36, -4)]
      return writer.frame({ kind: FrameKind.link, syncedLsn: 0, chunks })
    })
    expect(scan(bytes).promised).toBe(10)
  })

  it("has a frame of a later version: refused as such", () => {
    const unknown = written((writer) => [
      ...writer.link(base),
      ...writer.frame({ kind: 8 as FrameKind, syncedLsn: 10, chunks: [] })
    ])
    expect(failure(() => scan(unknown)).unsupported).toBe(true)
  })

  it("is another file than its name says: refused", () => {
    const bytes = concatBytes(frames())
    failure(() => scanSegment({ bytes, fileNumber: 8, expected: undefined, sealerFor: () => checksumSealer }))
  })

  it("goes on after another LSN than was expected: nothing in it follows", () => {
    const bytes = concatBytes(frames())
    const expected = { lsn: 9, chain: 99 }
    const result = scanSegment({ bytes, fileNumber: 7, expected, sealerFor: () => checksumSealer })
    expect(result.link).toBeUndefined()
    expect(result.tail).toMatchObject({ kind: "reordered", promised: 10 })
  })

  it("is not begun: no LINK, and that is all", () => {
    const bytes = concatBytes(frames().slice(0, 1))
    const result = scanSegment({ bytes, fileNumber: 7, expected: undefined, sealerFor: () => checksumSealer })
    expect(result).toMatchObject({ link: undefined, end: { lsn: 0, offset: 96 }, tail: { kind: "clean" }, promised: 0 })
  })

  it("takes any LINK if none is expected", () => {
    const bytes = concatBytes(frames())
    const result = scanSegment({ bytes, fileNumber: 7, expected: undefined, sealerFor: () => checksumSealer })
    expect(result.link).toEqual(base)
    expect(payloads(result)).toEqual(["one", "two", "three"])
  })
})

describe("random and forged bytes", () => {
  it("end in a scan or a FormatError", () => {
    const sample = concatBytes(frames())
    for (let seed = 1; seed <= 3000; seed++) {
      const dice = new Dice(seed)
      const bytes = concatBytes([sample, dice.bytes(dice.below(60))])
      for (let hit = dice.below(5); hit >= 0; hit--) {
        const from = 96 + dice.below(bytes.length - 96)
        if (dice.chance(0.5)) bytes[from] = dice.u32()
        else bytes.copyWithin(96 + dice.below(bytes.length - 96), from, from + dice.below(120))
      }
      const result = attempt(() => scan(bytes))
      if ("value" in result) {
        const read = payloads(result.value)
        expect(["one", "two", "three"].slice(0, read.length), `seed ${seed}`).toEqual(read)
      }
    }
  })

  it("with a valid header at every 36th byte are given up in bounded work", () => {
    const bytes = concatBytes([frames()[0], new Uint8Array(64 * 1024)])
    const [header] = begin().group([new Uint8Array(1)], 0)
    for (let at = 96; at + 40 < bytes.length; at += 36) {
      bytes.set(header, at)
      writeU32(bytes, at + 4, bytes.length - at - 40)
      writeU32(bytes, at, crc32Range(bytes, at + 4, at + 36))
    }
    expect(failure(() => scan(bytes)).message).toContain("overlapping")
    expect(hex(bytes.subarray(0, 8))).toBe("5354524154410d0a")
  })

  it("is refused with a LINK whose LSN is not the one behind the segment that it names", () => {
    const writer = begin()
    const [header, body] = writer.link(base) as [Uint8Array, Uint8Array]
    const other = body.slice()
    writeU64(other, 8, base.finalLsn - 1)
    const { tag } = checksumSealer.seal(concatBytes([writer.fileHeader.subarray(0, 92), header]), other)
    expect(() => scan(concatBytes([writer.fileHeader, header, other, tag]))).toThrow("a LINK has not the LSN")
  })
})
