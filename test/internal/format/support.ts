// What the format tests share: hex, seeded randomness whose seed is printed on failure, every way to damage a sample.
import { expect } from "@effect/vitest"
import { FormatError, tampered } from "../../../src/internal/format/formatError.ts"
import { encodeFileHeader, type FileHeader, FileKind } from "../../../src/internal/format/fileHeader.ts"
import type { Sealer } from "../../../src/internal/format/sealer.ts"

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
export const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(golden(text), "hex"))
/** Hex with spaces between fields, as goldens are written. */
export const golden = (text: string): string => text.replaceAll(/\s+/g, "")
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Mulberry32 (Tommy Ettinger, public domain). */
export class Dice {
  private state: number
  constructor(seed: number) {
    this.state = seed
  }
  u32(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let value = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return (value ^ (value >>> 14)) >>> 0
  }
  below(limit: number): number {
    return Math.floor((this.u32() / 2 ** 32) * limit)
  }
  chance(probability: number): boolean {
    return this.u32() / 2 ** 32 < probability
  }
  pick<A>(values: ReadonlyArray<A>): A {
    return values[this.below(values.length)]
  }
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.u32() & 255)
  }
  /** A whole number of every magnitude up to 2^53 - 1, with the powers of two and their neighbours often. */
  whole(): number {
    const power = 2 ** this.below(54)
    const value = this.chance(0.4) ? power + this.below(3) - 1 : Math.floor((this.u32() / 2 ** 32) * power)
    return Math.min(Math.max(value, 0), Number.MAX_SAFE_INTEGER)
  }
}

/** Runs the body for many seeds; a failure names the one that failed. */
export const manySeeds = (count: number, body: (dice: Dice, seed: number) => void): void => {
  for (let seed = 1; seed <= count; seed++) {
    try {
      body(new Dice(seed), seed)
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
    }
  }
}

/** `expect(actual).toBe(expected)` for tight loops: expect itself takes 20 µs, most of a test of 20,000 cases. */
export const same = (actual: unknown, expected: unknown): void => {
  if (!Object.is(actual, expected)) expect(actual).toBe(expected)
}

/** The value, or the FormatError; any other exception fails the test. */
export const attempt = <A>(decode: () => A): { readonly value: A } | { readonly error: FormatError } => {
  try {
    return { value: decode() }
  } catch (error) {
    if (error instanceof FormatError) return { error }
    throw error
  }
}

export const failure = (decode: () => unknown): FormatError => {
  const result = attempt(decode)
  if ("value" in result) throw new Error("decoded what should have been refused")
  return result.error
}

/** Calls with a copy for every single bit flipped. */
export const everyFlip = (sample: Uint8Array, body: (damaged: Uint8Array, place: string) => void): void => {
  for (let bit = 0; bit < sample.length * 8; bit++) {
    const damaged = sample.slice()
    damaged[bit >> 3] ^= 1 << (bit & 7)
    body(damaged, `bit ${bit & 7} of byte ${bit >> 3}`)
  }
}

/** Calls with the first 0, 1, … length - 1 bytes. */
export const everyTruncation = (sample: Uint8Array, body: (damaged: Uint8Array, length: number) => void): void => {
  for (let length = 0; length < sample.length; length++) body(sample.slice(0, length), length)
}

export const testHeader = (given?: Partial<FileHeader>): FileHeader => ({
  format: 0,
  kind: FileKind.log,
  tagBytes: 4,
  keyGeneration: 0,
  databaseId: Uint8Array.from({ length: 16 }, (_, index) => index),
  incarnation: Uint8Array.from({ length: 16 }, (_, index) => 0x10 + index),
  epoch: 3,
  fileNumber: 7,
  fileId: Uint8Array.from({ length: 32 }, (_, index) => 0xa0 + index),
  ...given
})

export const encodedTestHeader = (given?: Partial<FileHeader>): Uint8Array => encodeFileHeader(testHeader(given))

/** A sealer that changes the bytes and cannot seal chunks, as a cipher would: an inverted body, a tag of 20 bytes. */
export const invertingSealer: Sealer = {
  tagBytes: 20,
  keyGeneration: 5,
  seal: (associated, plain) => ({ body: plain.map((byte) => ~byte), tag: invertingTag(associated, plain) }),
  open: (associated, body, tag) => {
    const plain = body.map((byte) => ~byte)
    if (hex(invertingTag(associated, plain)) !== hex(tag)) throw tampered("authentication failed", 0)
    return plain
  }
}

const invertingTag = (associated: Uint8Array, plain: Uint8Array): Uint8Array => {
  const lanes = new Uint32Array([1, 2, 3, associated.length, 5])
  for (const byte of [...associated, ...plain]) {
    for (let lane = 0; lane < 5; lane++) lanes[lane] = Math.imul(lanes[lane] ^ byte, 0x01000193 + lane * 2)
  }
  return new Uint8Array(lanes.buffer)
}
