// What a full reading of a value file looks for, value by value in the order of the file: everything that reads rely on
// without looking again.
//
//   of the index  structure, and each value where the one before it ends
//   of a value    its pieces whole and in their places, a key and a sequence before it
//   of a section  as many values and bytes as the top counts
//   of the file   the checksum of all tags, which the footer has
//
// A damaged value is noted and left out, a damaged index block with all its values; those behind are read on.
import { crc32 } from "../format/checksum.ts"
import { fileHeaderBytes } from "../format/fileHeader.ts"
import { FormatError } from "../format/formatError.ts"
import { pieceLengthBytes, type PlacedSection, type ValueBlock } from "../format/valueFile.ts"
import type { ValueIndexBlock, ValuePlace } from "../format/valueIndex.ts"
import { ValuePieces } from "../format/valuePieces.ts"
import { openIndexBlock, type ValueFileParts } from "./valueFileOpening.ts"

export class ValueFileAudit {
  /** That are sound. */
  values = 0
  readonly damage: Array<{ readonly offset: number; readonly message: string }> = []
  private readonly parts: ValueFileParts
  /** Where the next value is due; unknown after a damaged index block. */
  private due: number | undefined = fileHeaderBytes
  private valueTagsCrc = 0
  private readonly indexTags: Array<Uint8Array> = []
  /** Of the section that is being read. */
  private sectionValues = 0
  private sectionBytes = 0

  constructor(parts: ValueFileParts) {
    this.parts = parts
  }

  /** The next index block, of its stored bytes. `undefined` if it cannot be used. */
  index(block: ValueBlock, bytes: Uint8Array): ValueIndexBlock | undefined {
    this.indexTags.push(this.tagOf(bytes, bytes.length))
    try {
      const index = openIndexBlock(this.parts, block, { bytes, start: 0 })
      this.checkDue(index)
      return index
    } catch (error) {
      this.skipIndex(block, messageOf(error))
      return undefined
    }
  }

  skipIndex({ offset }: ValueBlock, message: string): void {
    this.due = undefined
    this.skip(offset, message)
  }

  /** What stands at the offset cannot be used. */
  skip(offset: number, message: string): void {
    this.damage.push({ offset, message })
  }

  /** The next value, whose stored bytes begin in `bytes` at `start`. */
  value(place: ValuePlace, bytes: Uint8Array, start: number): void {
    const pieces = new ValuePieces(this.parts, place)
    for (let asked = pieces.next(); asked !== undefined; asked = pieces.next()) {
      if (!this.piece(pieces, bytes, start + asked.offset - place.offset)) return
    }
  }

  /** A value that is read piece by piece. */
  begin(place: ValuePlace): ValuePieces {
    return new ValuePieces(this.parts, place)
  }

  /** The next piece of a value. False if the value is damaged: the rest of it is of no use. */
  piece(pieces: ValuePieces, bytes: Uint8Array, start: number): boolean {
    const asked = pieces.next()!
    try {
      pieces.feed(bytes, start)
    } catch (error) {
      this.skip(error instanceof FormatError ? error.offset : asked.offset + pieceLengthBytes, messageOf(error))
      return false
    }
    this.valueTagsCrc = crc32(this.tagOf(bytes, start + pieces.takenBytes), this.valueTagsCrc)
    if (pieces.next() === undefined) {
      this.values += 1
      this.sectionValues += 1
      this.sectionBytes += pieces.length
    }
    return true
  }

  /** After the last value of a section. Counts say nothing where values are left out. */
  endSection({ bytes, count, id }: PlacedSection): void {
    if (this.damage.length === 0 && (this.sectionValues !== count || this.sectionBytes !== bytes)) {
      const found = `${this.sectionValues} values of ${this.sectionBytes} bytes in section ${id}`
      this.skip(this.parts.footer.top.offset, `${found}, the top says ${count} of ${bytes}`)
    }
    this.sectionValues = 0
    this.sectionBytes = 0
  }

  /** After the last section; the stored bytes of the top. */
  finish(top: Uint8Array): void {
    if (this.damage.length > 0) return
    const { footer } = this.parts
    if (this.due !== footer.index.offset) this.skip(footer.index.offset, `the last value ends at ${this.due}`)
    let tagsCrc = this.valueTagsCrc
    for (const tag of [...this.indexTags, this.tagOf(top, top.length)]) tagsCrc = crc32(tag, tagsCrc)
    if (tagsCrc !== footer.tagsCrc) this.skip(footer.top.offset, "the checksum of the tags is not the footer's")
  }

  /** Within a block, `ValueIndexBlock` has seen that values stand without gaps. */
  private checkDue(index: ValueIndexBlock): void {
    const { due } = this
    const { offset } = index.at(0)
    if (due !== undefined && offset !== due) throw new FormatError(`a value at ${offset}, due at ${due}`, offset)
    const last = index.at(index.count - 1)
    this.due = last.offset + last.storedBytes
  }

  private tagOf(bytes: Uint8Array, end: number): Uint8Array {
    return bytes.slice(Math.max(end - this.parts.sealer.tagBytes, 0), end)
  }
}

const messageOf = (error: unknown): string => {
  if (error instanceof FormatError) return error.message
  throw error
}
