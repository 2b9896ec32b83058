// Reading values of a value file (valueFile.ts): piece by piece, so that a long one need not be in memory twice. What
// it needs it asks for with places; whoever drives it reads them.
import { readU32 } from "./bytes.ts"
import { compareBytes } from "./compare.ts"
import { again, assert, FormatError } from "./formatError.ts"
import { storedKeyBytesMax } from "./record.ts"
import type { Sealer } from "./sealer.ts"
import { type Body, decodingAt, Layout, openBody, plainOf, storedBlockExtra } from "./storedBlock.ts"
import type { Section } from "./table.ts"
import { pieceBytes, pieceLengthBytes } from "./valueFile.ts"
import type { ValueOwner } from "./valueFileBuilder.ts"
import type { ValuePlace } from "./valueIndex.ts"
import { readVarint, varintBytes } from "./varint.ts"

/** What is needed to open pieces of a value file. */
export interface SealedValues {
  readonly sealer: Sealer
  readonly fileTag: number
}

/** What stands before the value in its first piece. */
export interface ValueHead {
  /** 0 if it was not known. */
  readonly sequence: number
  /** In the plain bytes of the first piece; the value follows the key. */
  readonly keyStart: number
  readonly keyEnd: number
}

/** The stored bytes of a piece, at most. */
const fullBytes = (tagBytes: number): number => pieceLengthBytes + pieceBytes + storedBlockExtra(tagBytes)

/**
 * Every piece of a value, in order. Checks that they are whole and where they are due, not whose they are.
 *
 * How long a compressed piece is says its own length before it: it is asked for with the length of the next, or, where
 * that is not known, with as much as follows and may be of it.
 */
export class ValuePieces {
  head: ValueHead | undefined
  /** Of the value, in the pieces so far. */
  length = 0
  /** Of the piece that was taken last, as it stands in the file. */
  takenBytes = 0
  private readonly file: SealedValues
  private readonly place: ValuePlace
  private taken = 0
  /** Of the next piece, if it was seen. */
  private nextBytes: number | undefined

  constructor(file: SealedValues, place: ValuePlace) {
    this.file = file
    this.place = place
  }

  /** What is to be read next; `undefined` after the last piece. It may reach into the piece behind. */
  next(): Section | undefined {
    const { nextBytes, place } = this
    const rest = place.storedBytes - this.taken
    const most = Math.min(rest, fullBytes(this.file.sealer.tagBytes))
    if (rest === 0) return undefined
    const bytes = nextBytes === undefined ? most : Math.min(most, nextBytes + pieceLengthBytes)
    return { offset: place.offset + this.taken, bytes }
  }

  /** The plain bytes of the piece that was asked for, which begins in `bytes` at `start`. Throws `FormatError`. */
  feed(bytes: Uint8Array, start: number): Uint8Array {
    const { offset } = this.place
    const at = offset + this.taken + pieceLengthBytes
    const body = this.take(bytes, start)
    const plain = plainOf(body, this.file.sealer, at)
    this.head ??= decodingAt(at, () => readHead(plain))
    this.count(body, at === offset + pieceLengthBytes)
    return plain
  }

  /** The same without decompressing it, but for the first. */
  feedBody(bytes: Uint8Array, start: number): Body {
    const { offset } = this.place
    const at = offset + pieceLengthBytes
    const isFirst = this.taken === 0
    const body = this.take(bytes, start)
    this.head ??= decodingAt(at, () => readHead(plainOf(body, this.file.sealer, at)))
    this.count(body, isFirst)
    return body
  }

  private count({ plainLength }: Body, isFirst: boolean): void {
    this.length += plainLength - (isFirst ? this.head!.keyEnd : 0)
  }

  private take(bytes: Uint8Array, start: number): Body {
    const asked = this.next()
    assert(asked !== undefined && start + asked.bytes <= bytes.length, "a piece was asked for")
    const { fileTag, sealer } = this.file
    const rest = this.place.storedBytes - this.taken
    const length = asked.bytes < pieceLengthBytes ? 0 : readU32(bytes, start)
    const pieceEnd = pieceLengthBytes + length
    if (length === 0 || pieceEnd > asked.bytes) {
      throw new FormatError("a piece of a value does not have the length that is due", asked.offset)
    }
    const offset = asked.offset + pieceLengthBytes
    const stored = { bytes, start: start + pieceLengthBytes, length, layout: Layout.value, fileTag, offset, sealer }
    // What is wrong with a shorter one may be its length.
    const body = pieceEnd === asked.bytes ? openBody(stored) : openingAt(asked.offset, () => openBody(stored))
    if (body.plainLength === 0) throw new FormatError("a piece of a value is empty", offset)
    if (pieceEnd < rest && body.plainLength < pieceBytes) {
      throw new FormatError("a piece of a value is short, and not the last", offset)
    }
    this.taken += pieceEnd
    this.takenBytes = pieceEnd
    const isNextSeen = asked.bytes - pieceEnd >= pieceLengthBytes
    this.nextBytes = isNextSeen ? pieceLengthBytes + readU32(bytes, start + pieceEnd) : undefined
    return body
  }
}

const openingAt = (offset: number, open: () => Body): Body => {
  try {
    return open()
  } catch (error) {
    throw error instanceof FormatError ? again(error, error.message, offset) : error
  }
}

const readHead = (plain: Uint8Array): ValueHead => {
  const sequence = readVarint(plain, 0, plain.length)
  const lengthStart = varintBytes(sequence)
  const keyLength = readVarint(plain, lengthStart, plain.length)
  const keyStart = lengthStart + varintBytes(keyLength)
  if (keyLength > storedKeyBytesMax || keyLength > plain.length - keyStart) {
    throw new FormatError("the key of a value is too long", lengthStart)
  }
  return { sequence, keyStart, keyEnd: keyStart + keyLength }
}

/** A value for whoever holds its handle: it must be of that key, sequence and length. */
export class ValueReading {
  private readonly pieces: ValuePieces
  private readonly place: ValuePlace
  private readonly owner: ValueOwner
  private readonly length: number

  constructor(file: SealedValues, place: ValuePlace, named: { readonly owner: ValueOwner; readonly length: number }) {
    this.pieces = new ValuePieces(file, place)
    this.place = place
    this.owner = named.owner
    this.length = named.length
  }

  /** What is to be read next; `undefined` when the value is complete. */
  next(): Section | undefined {
    return this.pieces.next()
  }

  /**
   * What the piece that was asked for, which begins in `bytes` at `start`, has of the value: without encryption a view
   * into `bytes`. Nothing of a value is given before its owner was compared. Throws `FormatError`.
   */
  feed(bytes: Uint8Array, start: number): Uint8Array {
    const isFirst = this.pieces.head === undefined
    const plain = this.pieces.feed(bytes, start)
    const { head, length } = this.pieces
    if (isFirst) this.checkOwner(plain, head!)
    const isWhole = this.pieces.next() === undefined
    if (length > this.length || (isWhole && length < this.length)) {
      throw new FormatError(`a value of ${length} bytes, its handle says ${this.length}`, this.place.offset)
    }
    return isFirst ? plain.subarray(head!.keyEnd) : plain
  }

  private checkOwner(plain: Uint8Array, { keyEnd, keyStart, sequence }: ValueHead): void {
    const { owner, place } = this
    if (compareBytes(plain, keyStart, keyEnd, owner.bytes, owner.keyStart, owner.keyEnd) !== 0) {
      throw new FormatError("the value of another key", place.offset)
    }
    if (sequence !== 0 && sequence !== owner.sequence) {
      throw new FormatError(`the value of sequence ${sequence}, not ${owner.sequence}`, place.offset)
    }
  }
}

/**
 * Opens the value that begins in `bytes` at `start`, all of it: the value's bytes, in one chunk for each piece. Throws
 * `FormatError`.
 */
export const openValue = (
  file: SealedValues,
  place: ValuePlace,
  from: { readonly bytes: Uint8Array; readonly start: number; readonly owner: ValueOwner; readonly length: number }
): ReadonlyArray<Uint8Array> => {
  const reading = new ValueReading(file, place, from)
  const chunks: Array<Uint8Array> = []
  for (let asked = reading.next(); asked !== undefined; asked = reading.next()) {
    chunks.push(reading.feed(from.bytes, from.start + asked.offset - place.offset))
  }
  return chunks
}

/** A value as `ValueFileBuilder.copyStored` takes it. */
export interface StoredValue {
  readonly pieces: ReadonlyArray<Body>
  readonly head: ValueHead
  /** Of the value alone. */
  readonly length: number
}

/** Opens a value without knowing whose it is. Throws `FormatError`. */
export const openStoredValue = (
  file: SealedValues,
  place: ValuePlace,
  from: { readonly bytes: Uint8Array; readonly start: number }
): StoredValue => {
  const reading = new ValuePieces(file, place)
  const pieces: Array<Body> = []
  for (let asked = reading.next(); asked !== undefined; asked = reading.next()) {
    pieces.push(reading.feedBody(from.bytes, from.start + asked.offset - place.offset))
  }
  const { head, length } = reading
  assert(head !== undefined, "a place has a piece at least")
  return { pieces, head, length }
}
