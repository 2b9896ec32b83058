import { describe, expect, it } from "@effect/vitest"
import { concatBytes, writeU32 } from "../../../src/internal/format/bytes.ts"
import { crc32 } from "../../../src/internal/format/checksum.ts"
import { fileTagOf } from "../../../src/internal/format/fileHeader.ts"
import {
  frameHeaderBytes,
  FrameKind,
  framePayloadMax,
  frameTagOffset,
  FrameView,
  FrameWriter,
  readFrameHeader
} from "../../../src/internal/format/logFrame.ts"
import { checksumSealer } from "../../../src/internal/format/sealer.ts"
import { golden, hex, invertingSealer, testHeader, utf8 } from "./support.ts"

const begin = (lsn: number = 0): FrameWriter => new FrameWriter({ header: testHeader(), sealer: checksumSealer, lsn })
const link = { previousSegment: 6, finalLsn: 0, finalChain: 0x01020304 }

describe("logFrame", () => {
  it("numbers its kinds so, for ever", () => {
    expect(FrameKind).toEqual({ full: 1, first: 2, middle: 3, last: 4, sealed: 5, syncMark: 6, link: 7 })
  })

  it("has these bytes", () => {
    const writer = begin()
    const frames = [writer.link(link), writer.group([utf8("ab"), utf8("c")], 1), writer.syncMark(2), writer.sealed(2)]
    expect(frames.map((frame) => hex(concatBytes(frame)))).toEqual(
      [
        `eca13824 14000000 07 00 0000 0100000000000000 0000000000000000 a0a1a2a3 9507c38d
          06000000000000000000000000000000 04030201 675d2197`,
        "d8e38279 03000000 01 00 0000 0200000000000000 0100000000000000 a0a1a2a3 f66b4f9b 616263 eed05253",
        "c1002e34 00000000 06 00 0000 0300000000000000 0200000000000000 a0a1a2a3 8f70ab87 62a62e83",
        "2cce1d8a 00000000 05 00 0000 0400000000000000 0200000000000000 a0a1a2a3 adda67ee c2c75a4d"
      ].map(golden)
    )
  })

  it("advances its position with each frame, and chains equal frames differently", () => {
    const writer = begin(41)
    const chains = [writer.chain]
    for (let index = 0; index < 4; index++) {
      writer.syncMark(0)
      chains.push(writer.chain)
    }
    expect(writer.position()).toEqual({ lsn: 45, chain: chains[4] })
    expect(new Set(chains).size).toBe(5)
    // What the order tag, then header avoids: the checksum of anything and its own checksum is a constant.
    expect(chains).not.toContain(0x2144df1c)
  })

  it("does not copy what it need not", () => {
    const chunk = utf8("payload")
    expect(begin().group([chunk], 0)).toContain(chunk)
  })

  it("cuts a group above the limit of a frame into FIRST, MIDDLE and LAST", () => {
    const kindsOf = (lengths: ReadonlyArray<number>): ReadonlyArray<number> => {
      const bytes = concatBytes(
        begin().group(
          lengths.map((length) => new Uint8Array(length)),
          0
        )
      )
      const kinds: Array<number> = []
      for (let at = 0; at < bytes.length; at += 40 + new DataView(bytes.buffer).getUint32(at + 4, true)) {
        kinds.push(bytes[at + 8])
      }
      return kinds
    }
    expect(kindsOf([])).toEqual([FrameKind.full])
    expect(kindsOf([framePayloadMax])).toEqual([FrameKind.full])
    expect(kindsOf([framePayloadMax, 1])).toEqual([FrameKind.first, FrameKind.last])
    expect(kindsOf([5, framePayloadMax * 2, framePayloadMax - 5])).toEqual([2, 3, 4])
  })

  it("seals with the header as associated data, a LINK's with the file header's 92 bytes before it", () => {
    const writer = new FrameWriter({
      header: testHeader({ tagBytes: 20, keyGeneration: 5 }),
      sealer: invertingSealer,
      lsn: 0
    })
    const [header, body, tag] = writer.link(link)
    expect(hex(invertingSealer.open(concatBytes([writer.fileHeader.subarray(0, 92), header]), body, tag))).toBe(
      "0600000000000000000000000000000004030201"
    )
    const [next, second, secondTag] = writer.group([utf8("x")], 0)
    expect(hex(invertingSealer.open(next, second, secondTag))).toBe("78")
    expect(new DataView(next.buffer).getUint32(32, true)).toBe(crc32(header, crc32(tag)))
  })

  it("refuses promises about itself, a LINK that leaves a gap, and another file's sealer", () => {
    expect(() => begin().syncMark(1)).toThrow("assertion")
    expect(() => begin(3).link(link)).toThrow("assertion")
    expect(() => new FrameWriter({ header: testHeader(), sealer: invertingSealer, lsn: 0 })).toThrow("assertion")
  })

  it("is known by the tag of its file, and whole", () => {
    const writer = begin()
    const bytes = concatBytes([...writer.link(link), ...writer.group([utf8("ab")], 1)])
    const group = concatBytes(begin().link(link)).length
    const fileTag = fileTagOf(testHeader().fileId)
    const read = (context: { readonly bytes: Uint8Array; readonly fileTag: number }, offset: number) =>
      readFrameHeader({ ...context, tagBytes: 4 }, offset, new FrameView())
    expect(read({ bytes, fileTag }, group)).toBe(undefined)
    expect(read({ bytes, fileTag: fileTag + 1 }, group)).toBe("no frame of this file begins here")
    for (let end = group; end < bytes.length; end++)
      expect(read({ bytes: bytes.subarray(0, end), fileTag }, group), `cut at ${end}`).toBe("a frame is cut off")
  })

  it("has a header that is checked before it is believed, with LSNs that a number can hold", () => {
    const frame = concatBytes(begin().link(link))
    const fileTag = fileTagOf(testHeader().fileId)
    const read = (bytes: Uint8Array) => readFrameHeader({ bytes, fileTag, tagBytes: 4 }, 0, new FrameView())
    for (let offset = 4; offset < frameHeaderBytes; offset++) {
      if (offset >= frameTagOffset && offset < frameTagOffset + 4) continue
      const damaged = frame.slice()
      damaged[offset]! ^= 1
      expect(read(damaged), `byte ${offset}`).toBe("a frame header's checksum does not match")
    }
    for (const high of [16, 24]) {
      const huge = frame.slice()
      writeU32(huge, high, 0x200000)
      writeU32(huge, 0, crc32(huge.subarray(4, frameHeaderBytes)))
      expect(read(huge)).toBe("an LSN is too large")
    }
  })
})
