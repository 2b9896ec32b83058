// Where the values of a section are, in blocks of at most 4 KiB, so that one is read for a value and not all.
//
//   block := entry+                                           by index ascending
//   entry := index: u32  offset: u48  storedBytes: u32        little-endian
//
//   index         of the value in its section; those that were left out when the file was rewritten are not there
//   offset        of the value's first piece in the file; each begins where the one before ends
//   storedBytes   of all of its pieces, with their lengths
import { ByteWriter, readU16, readU32, writeU16, writeU32 } from "./bytes.ts"
import { fileHeaderBytes } from "./fileHeader.ts"
import { assert, FormatError } from "./formatError.ts"

/** Of an entry. */
export const valueIndexBytes = 14
/** In a block. */
export const valueIndexEntriesMax = Math.floor(4096 / valueIndexBytes)
const offsetMax = 2 ** 48 - 1

/** Where a value stands in its file. */
export interface ValuePlace {
  readonly offset: number
  readonly storedBytes: number
}

export interface ValueIndexEntry extends ValuePlace {
  readonly index: number
}

/** The index of one section, as it grows. */
export class ValueIndexBuilder {
  count = 0
  private last = -1
  private readonly full: Array<Uint8Array> = []
  private readonly block = new ByteWriter(valueIndexEntriesMax * valueIndexBytes)

  /** Indexes ascend. */
  add({ index, offset, storedBytes }: ValueIndexEntry): void {
    assert(index > this.last, "values are added by index")
    assert(offset <= offsetMax, "a value file is shorter than 2^48 bytes")
    const { block } = this
    const at = block.offset
    block.reserve(valueIndexBytes)
    writeU32(block.bytes, at, index)
    writeU32(block.bytes, at + 4, offset % 0x100000000)
    writeU16(block.bytes, at + 8, Math.floor(offset / 0x100000000))
    writeU32(block.bytes, at + 10, storedBytes)
    block.offset = at + valueIndexBytes
    this.last = index
    this.count += 1
    if (this.count % valueIndexEntriesMax === 0) this.close()
  }

  /** The plain blocks, each with its first index. */
  finish(): ReadonlyArray<{ readonly firstIndex: number; readonly plain: Uint8Array }> {
    if (this.block.offset > 0) this.close()
    return this.full.map((plain) => ({ firstIndex: readU32(plain, 0), plain }))
  }

  private close(): void {
    this.full.push(this.block.finish())
    this.block.reset()
  }
}

/** An index block in memory, without a copy of its bytes, which must never change. */
export class ValueIndexBlock {
  readonly bytes: Uint8Array
  readonly count: number

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.count = bytes.length / valueIndexBytes
  }

  /** Checks the structure; `valuesEnd` is where the file's values end. Throws `FormatError`. */
  static open(plain: Uint8Array, valuesEnd: number): ValueIndexBlock {
    if (
      plain.length === 0 ||
      plain.length % valueIndexBytes !== 0 ||
      plain.length / valueIndexBytes > valueIndexEntriesMax
    ) {
      throw new FormatError(`a value index of ${plain.length} bytes`, 0)
    }
    const block = new ValueIndexBlock(plain)
    let { offset: due } = block.at(0)
    if (due < fileHeaderBytes) throw new FormatError("a value lies in the file's header", 0)
    for (let position = 0; position < block.count; position++) {
      const { index, offset, storedBytes } = block.at(position)
      if (offset !== due || storedBytes === 0)
        throw new FormatError("a value is not where it is due", position * valueIndexBytes)
      if (position > 0 && index <= block.indexAt(position - 1)) {
        throw new FormatError("values are out of order", position * valueIndexBytes)
      }
      due = offset + storedBytes
    }
    if (due > valuesEnd) throw new FormatError(`a value ends at ${due}, and all values at ${valuesEnd}`, 0)
    return block
  }

  /** The entry at a position below `count`. */
  at(position: number): ValueIndexEntry {
    const { bytes } = this
    const start = position * valueIndexBytes
    return {
      index: readU32(bytes, start),
      offset: readU16(bytes, start + 8) * 0x100000000 + readU32(bytes, start + 4),
      storedBytes: readU32(bytes, start + 10)
    }
  }

  /** The value of the index; `undefined` if there is none. */
  find(index: number): ValuePlace | undefined {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.indexAt(middle) < index) low = middle + 1
      else high = middle
    }
    return low < this.count && this.indexAt(low) === index ? this.at(low) : undefined
  }

  private indexAt(position: number): number {
    return readU32(this.bytes, position * valueIndexBytes)
  }
}
