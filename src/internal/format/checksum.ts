// CRC-32 (IEEE 802.3, reflected, as in zlib): the one checksum of every format. It finds accidents, not attackers.
//
// `seed` continues a checksum: crc32(b, crc32(a)) is the checksum of a followed by b.
import { crc32 as zlibCrc32 } from "node:zlib"

// Native code costs about 110 ns before the first byte and a view of a part 35 ns more; eight tables here take 1 ns a
// byte (Node 24: 36 bytes 40 ns against 113, 150 bytes 150 against 212, 200 bytes 206 against 152).
const nativeBytesMin = 192
const nativeRangeBytesMin = 240

const tableCount = 8
const tables = new Int32Array(256 * tableCount)
for (let index = 0; index < 256; index++) {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0)
  tables[index] = value
}
for (let index = 256; index < tables.length; index++) {
  const value = tables[index - 256]
  tables[index] = (value >>> 8) ^ tables[value & 255]
}

// "Slicing by eight" (Kounavis and Berry, 2005): eight bytes a step, each through its own table.
const inTables = (bytes: Uint8Array, start: number, end: number, seed: number): number => {
  let crc = ~seed
  let at = start
  for (; at + 8 <= end; at += 8) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    crc =
      tables[1792 + (crc & 255)] ^
      tables[1536 + ((crc >>> 8) & 255)] ^
      tables[1280 + ((crc >>> 16) & 255)] ^
      tables[1024 + (crc >>> 24)] ^
      tables[768 + bytes[at + 4]] ^
      tables[512 + bytes[at + 5]] ^
      tables[256 + bytes[at + 6]] ^
      tables[bytes[at + 7]]
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]) & 255]
  return ~crc >>> 0
}

/** The checksum of all the bytes, a u32. */
export const crc32 = (bytes: Uint8Array, seed: number = 0): number =>
  bytes.length < nativeBytesMin ? inTables(bytes, 0, bytes.length, seed) : zlibCrc32(bytes, seed)

/** The checksum of a part of the bytes, without a view for short parts. The caller has checked the bounds. */
export const crc32Range = (bytes: Uint8Array, start: number, end: number, seed: number = 0): number =>
  end - start < nativeRangeBytesMin ? inTables(bytes, start, end, seed) : zlibCrc32(bytes.subarray(start, end), seed)
