import { describe, expect, it } from "@effect/vitest"
import { crc32 } from "../../../src/internal/format/checksum.ts"
import { writeF64, writeU32 } from "../../../src/internal/format/bytes.ts"
import { keyOf, withBytesOf } from "../../../src/internal/format/cipher.ts"
import { FileKind } from "../../../src/internal/format/fileHeader.ts"
import type { FormatError } from "../../../src/internal/format/formatError.ts"
import type { KeyDerivation } from "../../../src/internal/format/keyDerivation.ts"
import {
  type DataKey,
  encodeKeyring,
  generationsMax,
  keyringBytesMax,
  openKeyring,
  readKeyring
} from "../../../src/internal/format/keyring.ts"
import { CountingCipher } from "../../support/encryption.ts"
import { attempt, everyFlip, everyTruncation, failure, golden, hex, manySeeds, testHeader } from "./support.ts"

const bytes = (length: number, from: number) => Uint8Array.from({ length }, (_, index) => from + index)
const salt = bytes(32, 0x40)
const kek = keyOf(bytes(32, 0x60))
const header = testHeader({ kind: FileKind.keyring, epoch: 0 })
const passphraseSalt = bytes(32, 0x80)

const dataKey = (generation: number): DataKey => ({
  generation,
  createdSequence: generation * 1000,
  createdMillis: 1.7e12 + generation,
  key: keyOf(new Uint8Array(32).fill(generation))
})

const derivations: ReadonlyArray<KeyDerivation> = [
  { _tag: "Raw" },
  { _tag: "Scrypt", costLog2: 17, blockSize: 8, parallelism: 1, salt: passphraseSalt },
  { _tag: "Argon2id", memoryKiB: 65_536, passes: 3, lanes: 1, salt: passphraseSalt },
  { _tag: "Provider", keyId: "the key’s id", wrappedKey: bytes(5, 0xf0) }
]

const encode = (given: Partial<Parameters<typeof encodeKeyring>[0]> = {}) =>
  encodeKeyring({ header, derivation: derivations[0], kek, salt, keys: [dataKey(1), dataKey(2)], ...given })

const keysIn = (ring: Uint8Array, key = kek) =>
  openKeyring(readKeyring(ring), key)?.map(({ key, ...facts }) => ({ ...facts, key: withBytesOf(key, hex) }))

/** With the checksums made right again, as whoever changes it on purpose would. */
const mended = (ring: Uint8Array): Uint8Array => {
  writeU32(ring, 92, crc32(ring.subarray(0, 92)))
  writeU32(ring, ring.length - 4, crc32(ring.subarray(0, ring.length - 4)))
  return ring
}

/** How a changed keyring is found out. */
const outcomeOf = (ring: Uint8Array): string => {
  const read = attempt(() => keysIn(ring))
  if ("value" in read) return read.value === undefined ? "another key" : "opened"
  const { tampered, unsupported }: FormatError = read.error
  return unsupported ? "unsupported" : tampered ? "tampered" : "not whole"
}

describe("keyring", () => {
  it("has these bytes", () => {
    expect(hex(encode())).toBe(
      golden(`
        5354524154410d0a 0000 06 04 00000000
        000102030405060708090a0b0c0d0e0f
        101112131415161718191a1b1c1d1e1f
        00000000 0700000000000000
        a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf
        2be30de0
        bf000000
        0000 404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f
        cfc3b1db40b685d1b94cf7ad6b1f3def9339631ca09a189ac0d1c45bd679b198
        02
        01000000 e807 00108056febc7842
        585a5562562ad78b6298c54cd46dc6a37c58619d178bd98221913e9f2835306c 7302993f8e95c51ec0d0e9b6959b0dd8
        02000000 d00f 00208056febc7842
        c04782526a668b32eafebf889bb431b9efef1b1501be137c7402216891fdbc73 275bd9b78ce5d9b1f75dbed347e7de0c
        2a00c0ad50b4f5580ff99f9c49da0ce058a7483a62f4e38b76b23d35ff4e86ec 1d5b2121
      `)
    )
  })

  it.each([
    [derivations[0], "00 00"],
    [derivations[1], `01 23 11 08 01 ${hex(passphraseSalt)}`],
    [derivations[2], `02 25 808004 03 01 ${hex(passphraseSalt)}`],
    [derivations[3], "03 15 0e 746865206b6579e28099732069 64 05 f0f1f2f3f4"]
  ] as const)("says how its key is made: %o", (derivation, due) => {
    const ring = encode({ derivation })
    const text = golden(due)
    expect(hex(ring.subarray(100, 100 + text.length / 2))).toBe(text)
    expect(hex(ring.subarray(100 + text.length / 2, 132 + text.length / 2))).toBe(hex(salt))
    expect(readKeyring(ring).derivation).toEqual(derivation)
  })

  it("reads back, with one key and with the most it can have", () => {
    for (const count of [1, 2, 300, generationsMax]) {
      const keys = Array.from({ length: count }, (_, index) => dataKey(index + 1))
      const ring = encode({ keys })
      expect(ring.length).toBeLessThanOrEqual(keyringBytesMax)
      expect(keysIn(ring)).toEqual(keys.map(({ key, ...facts }) => ({ ...facts, key: withBytesOf(key, hex) })))
    }
    expect(() => encode({ keys: [] })).toThrow("one and 4096")
    expect(() => encode({ keys: [dataKey(2), dataKey(2)] })).toThrow("ascend")
  })

  it("has no key in it", () => {
    const text = hex(encode())
    for (const secret of ["01", "02"]) expect(text).not.toContain(secret.repeat(16))
    expect(text).not.toContain(withBytesOf(kek, hex).slice(0, 16))
  })

  it("wraps anew under every salt, and never twice under one nonce", () => {
    const cipher = new CountingCipher()
    manySeeds(20, (dice) => void encode({ salt: dice.bytes(32), cipher }))
    expect(cipher.encryptions).toBe(40)
    expect(() => [1, 2].map(() => encode({ salt: bytes(32, 1), cipher }))).toThrow("twice")
  })

  it("is not opened by another key, and says so", () => {
    expect(keysIn(encode(), keyOf(bytes(32, 0x61)))).toBeUndefined()
  })

  it("is not whole when any bit of it is flipped, or any of it is missing or too much", () => {
    const ring = encode()
    everyFlip(ring, (damaged, place) => expect(`${place} ${outcomeOf(damaged)}`).toBe(`${place} not whole`))
    everyTruncation(ring, (cut) => expect(outcomeOf(cut)).toBe("not whole"))
    expect(outcomeOf(Uint8Array.of(...ring, 0))).toBe("not whole")
  })

  it("is tampered with, or of another key, when a bit is flipped and the checksums are made right again", () => {
    const found: Record<string, Array<number>> = {}
    const ring = encode({ derivation: derivations[1] })
    // The crc alone cannot be wrong and right.
    everyFlip(ring.subarray(0, -4), (damaged, place) => {
      const whole = new Uint8Array(ring)
      whole.set(damaged)
      const at = Number(/\d+$/.exec(place)![0])
      if (at >= 92 && at < 96) return
      ;(found[outcomeOf(mended(whole))] ??= []).push(at)
    })
    expect(found["opened"]).toBeUndefined()
    const ranges = Object.fromEntries(Object.entries(found).map(([outcome, at]) => [outcome, rangesOf(at)]))
    expect(ranges).toEqual({
      // The magic, the kind of file, its tags, a file number above all, the length: as if it were no keyring.
      "not whole": "0-7 10-11 58-59 96-99",
      // The format, the kind of master key, and what it costs, if that is more than is believed.
      unsupported: "8-9 100 102-104",
      tampered: "11-58 60-91 100-136 201-357",
      // The salt and the commitment.
      "another key": "137-200"
    })
  })

  it.each([
    ["more memory than is believed", { ...derivations[1], costLog2: 21 }],
    ["a cost above all", { ...derivations[1], costLog2: 255 }],
    ["more memory, of argon2id", { ...derivations[2], memoryKiB: 2 ** 21 }],
    ["more passes", { ...derivations[2], passes: 65 }],
    ["more lanes", { ...derivations[2], memoryKiB: 2 ** 20, lanes: 65 }]
  ] as const)("asks for %s: unsupported", (_, derivation) => {
    expect(failure(() => readKeyring(encode({ derivation: derivation as KeyDerivation }))).unsupported).toBe(true)
  })

  it.each([
    ["no memory", { ...derivations[1], costLog2: 0 }],
    ["no lanes", { ...derivations[2], lanes: 0 }],
    ["no passes", { ...derivations[2], passes: 0 }],
    ["less memory than lanes need", { ...derivations[2], memoryKiB: 15, lanes: 2 }]
  ] as const)("asks for %s: tampered", (_, derivation) => {
    expect(failure(() => readKeyring(encode({ derivation: derivation as KeyDerivation }))).tampered).toBe(true)
  })

  it("is of a kind that is not known: unsupported, not damaged", () => {
    const ring = encode()
    ring[100] = 4
    expect(outcomeOf(mended(ring))).toBe("unsupported")
  })

  it("does not let facts of a key be changed, nor keys change places", () => {
    const ring = encode()
    const entry = ring.length - 36 - 2 * (4 + 2 + 8 + 48)
    const swapped = ring.slice()
    swapped.set(ring.subarray(entry + 14 + 62, entry + 62 + 62), entry + 14)
    swapped.set(ring.subarray(entry + 14, entry + 62), entry + 62 + 14)
    expect(outcomeOf(mended(swapped))).toBe("tampered")
    const older = ring.slice()
    writeF64(older, entry + 6, 0)
    expect(outcomeOf(mended(older))).toBe("tampered")
  })

  it("is refused without a key when its keys are none, too many, or do not ascend", () => {
    const ring = encode()
    const entry = ring.length - 36 - 2 * (4 + 2 + 8 + 48)
    const changed = (at: number, ...bytes: ReadonlyArray<number>) => {
      const other = ring.slice()
      other.set(bytes, at)
      const { message, tampered } = failure(() => readKeyring(mended(other)))
      expect(tampered).toBe(true)
      return message
    }
    for (const generation of [1, 0]) expect(changed(entry + 62, generation)).toContain("ascend")
    expect(changed(entry, 0)).toContain("ascend")
    expect(changed(entry - 1, 0)).toContain("a keyring of 0 keys")
    expect(failure(() => readKeyring(ring.subarray(0, 98))).message).toContain("cut off")
    // As one number: 16,383.
    expect(changed(entry - 1, 0xff, 0x7f)).toContain("a keyring of 16383 keys")
  })

  it("reads random bytes without any other exception", () => {
    manySeeds(500, (dice) => {
      const ring = encode()
      ring.set(dice.bytes(ring.length - 100), 100)
      attempt(() => keysIn(dice.chance(0.5) ? mended(ring) : ring))
      attempt(() => readKeyring(dice.bytes(dice.below(400))))
    })
  })
})

const rangesOf = (numbers: ReadonlyArray<number>): string => {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b)
  const ranges: Array<[number, number]> = []
  for (const number of sorted) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === number - 1) last[1] = number
    else ranges.push([number, number])
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(" ")
}
