import { describe, expect, it } from "@effect/vitest"
import { concatBytes, writeU32 } from "../../../src/internal/format/bytes.ts"
import { crc32Range } from "../../../src/internal/format/checksum.ts"
import { decodeFileHeader, FileKind } from "../../../src/internal/format/fileHeader.ts"
import { encodeEdit, type ManifestEdit } from "../../../src/internal/format/manifestEdit.ts"
import { ManifestFrameWriter, scanManifest } from "../../../src/internal/format/manifestFrame.ts"
import { checksumSealer, type Sealer } from "../../../src/internal/format/sealer.ts"
import {
  attempt,
  Dice,
  everyFlip,
  everyTruncation,
  failure,
  golden,
  hex,
  invertingSealer,
  testHeader
} from "./support.ts"

const edits: ReadonlyArray<ManifestEdit> = [
  { encryptionName: "none", fileNumberNext: 3, snapshotEnd: true },
  { logNumberMin: 4, removeTables: [1, 2] },
  {},
  { lsnDurable: 5 }
]

const pieces = (sealer: Sealer, fill: number = 1): ReadonlyArray<Uint8Array> => {
  const { keyGeneration, tagBytes } = sealer
  const fileId = new Uint8Array(32).fill(fill)
  const header = testHeader({ kind: FileKind.manifest, tagBytes, keyGeneration, fileId })
  const writer = new ManifestFrameWriter({ header, sealer })
  return [writer.fileHeader, ...edits.map((edit) => concatBytes(writer.frame(edit)))]
}

const bug = new TypeError("a bug of the cipher")
const brokenOpen: Sealer["open"] = () => {
  throw bug
}

const scan = (bytes: Uint8Array, sealer: Sealer = checksumSealer) => scanManifest(bytes, () => sealer)

describe("manifestFrame", () => {
  it("has these bytes", () => {
    expect(pieces(checksumSealer).slice(1).map(hex)).toEqual(
      [
        "bb21ec70 0b000000 0000000000000000 8c112006 02046e6f6e650801031400 feb0d928",
        "77a7e597 09000000 0100000000000000 b5f14aec 0601040e01010e0102 d50fde76",
        "2614b282 00000000 0200000000000000 96e49c93 60c4d635",
        "dcbd941c 03000000 0300000000000000 b41075c6 160105 92393469"
      ].map(golden)
    )
  })

  describe.each([checksumSealer, invertingSealer])("with tags of $tagBytes bytes", (sealer) => {
    const bytes = concatBytes(pieces(sealer))
    const ends = pieces(sealer).map((_, index) => concatBytes(pieces(sealer).slice(0, index + 1)).length)

    it("reads the edits back", () => {
      expect(scan(bytes, sealer)).toMatchObject({
        edits,
        end: bytes.length,
        tail: undefined,
        header: { fileNumber: 7 }
      })
      if (sealer !== checksumSealer) expect(hex(bytes)).not.toContain(hex(encodeEdit(edits[0])))
    })

    it("cut anywhere, gives the edits before the cut and reports the tail", () => {
      everyTruncation(bytes, (cut, length) => {
        if (length < ends[0]) return failure(() => scan(cut, sealer))
        const whole = ends.filter((end) => end <= length)
        const result = scan(cut, sealer)
        expect(result.edits).toEqual(edits.slice(0, whole.length - 1))
        expect(result.end).toBe(whole.at(-1))
        expect(result.tail?.bytes ?? 0).toBe(length - result.end)
        return undefined
      })
    })

    it("says whether an edit was changed or is cut off, where there is a key", () => {
      const isKeyed = sealer !== checksumSealer
      const flippedAt = (at: number) => bytes.map((byte, index) => (index === at ? byte ^ 1 : byte))
      const [, , second] = ends as [number, number, number]
      expect(failure(() => scan(flippedAt(second - 1), sealer)).tampered).toBe(isKeyed)
      expect(failure(() => scan(flippedAt(second - 1), sealer)).offset).toBe(ends[1])
      expect(scan(flippedAt(bytes.length - 1), sealer).tail?.tampered).toBe(isKeyed)
      expect(scan(bytes.subarray(0, bytes.length - 1), sealer).tail?.tampered).toBe(false)
    })

    it("is damaged if any bit is flipped before the last edit, and torn if in it", () => {
      everyFlip(bytes, (damaged, place) => {
        const at = Number(place.split(" ")[4])
        if (at < ends.at(-2)!) return failure(() => scan(damaged, sealer))
        expect(scan(damaged, sealer)).toMatchObject({
          edits: edits.slice(0, 3),
          tail: { bytes: bytes.length - ends.at(-2)! }
        })
        return undefined
      })
    })
  })

  it("does not take what an older manifest left behind it for its own", () => {
    const own = pieces(checksumSealer)
    const stale = concatBytes(pieces(checksumSealer, 2)).subarray(96)
    expect(scan(concatBytes([...own.slice(0, 2), stale])).tail?.bytes).toBe(stale.length)
    expect(scan(concatBytes([...own.slice(0, 3), new Uint8Array(500)])).tail?.bytes).toBe(500)
  })

  it("is damaged if an edit is missing, doubled or moved", () => {
    const own = pieces(checksumSealer)
    failure(() => scan(concatBytes([own[0], own[2], own[3]])))
    failure(() => scan(concatBytes([own[0], own[1], own[3], own[2], own[4]])))
    const doubled = scan(concatBytes([...own, own[2]]))
    expect(doubled.edits).toEqual(edits)
    expect(doubled.tail?.bytes).toBe(own[2].length)
  })

  it("is damaged if a frame is of another history of the same manifest", () => {
    const [header, first, second] = pieces(checksumSealer)
    const other = new ManifestFrameWriter({
      header: decodeFileHeader(header, FileKind.manifest),
      sealer: checksumSealer
    })
    other.frame({ epoch: 9 })
    const foreign = concatBytes(other.frame(edits[1]))
    expect(foreign.length).toBe(second.length)
    failure(() => scan(concatBytes([header, first, foreign])))
  })

  it("with a valid header at every 20th byte is given up in bounded work", () => {
    const bytes = new Uint8Array(64 * 1024)
    bytes.set(pieces(checksumSealer)[0])
    for (let at = 96; at + 24 < bytes.length; at += 20) {
      writeU32(bytes, at + 4, bytes.length - at - 24)
      writeU32(bytes, at, crc32Range(bytes, at + 4, at + 20))
    }
    expect(failure(() => scan(bytes)).message).toContain("overlapping")
  })

  it("refuses an edit of a later version as such, naming the frame's place", () => {
    const later = Uint8Array.of(0x7e, 0, 0x7f)
    const sealer: Sealer = { ...checksumSealer, seal: (associated) => checksumSealer.seal(associated, later) }
    const writer = new ManifestFrameWriter({ header: testHeader({ kind: FileKind.manifest }), sealer })
    const error = failure(() => scan(concatBytes([writer.fileHeader, ...writer.frame({ epoch: 1 })])))
    expect(error).toMatchObject({ unsupported: true, offset: 96 })
  })

  it("throws on what a sealer dies of, and takes it for no torn end", () => {
    const broken: Sealer = { ...checksumSealer, open: brokenOpen }
    expect(() => scan(concatBytes(pieces(checksumSealer)), broken)).toThrow(bug)
  })

  it("reads random bytes behind its header without any other exception", () => {
    const own = concatBytes(pieces(checksumSealer))
    for (let seed = 0; seed < 2000; seed++) {
      const dice = new Dice(seed)
      const bytes = own.slice()
      const from = 96 + dice.below(bytes.length - 96)
      bytes.set(dice.bytes(dice.below(bytes.length - from)), from)
      const result = attempt(() => scan(bytes))
      if ("value" in result)
        expect(edits.slice(0, result.value.edits.length), `seed ${seed}`).toEqual(result.value.edits)
    }
  })
})
