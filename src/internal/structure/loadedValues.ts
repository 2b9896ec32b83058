// What is kept in memory of a value file beside blocks of its index: where those are, and what pieces are opened with.
import { FormatError } from "../format/formatError.ts"
import { storedBlockExtra } from "../format/storedBlock.ts"
import { pieceBytes, pieceLengthBytes, type ValueBlock } from "../format/valueFile.ts"
import type { ValueOwner } from "../format/valueFileBuilder.ts"
import type { ValueHandle } from "../format/valueHandle.ts"
import type { ValueIndexBlock, ValuePlace } from "../format/valueIndex.ts"
import { ValueReading } from "../format/valuePieces.ts"
import { varintBytes } from "../format/varint.ts"
import { locate, openIndexBlock, type ValueFileParts } from "./valueFileOpening.ts"

// Objects of a file, of a section, and of the place of an index block, about.
const fileBytes = 1024
const sectionBytes = 200
const blockBytes = 120

export class LoadedValues {
  readonly parts: ValueFileParts
  readonly blockCount: number
  /** What it holds in memory. */
  readonly bytes: number
  private readonly ordinals = new Map<ValueBlock, number>()

  constructor(parts: ValueFileParts) {
    this.parts = parts
    for (const { blocks } of parts.sections) for (const block of blocks) this.ordinals.set(block, this.ordinals.size)
    this.blockCount = this.ordinals.size
    this.bytes = fileBytes + parts.sections.length * sectionBytes + this.blockCount * blockBytes
  }

  /** The index block that names the value. Throws `FormatError` if there surely is no such value. */
  blockOf(handle: ValueHandle): ValueBlock {
    const block = locate(this.parts, handle.file, handle.index)
    if (block === undefined) throw this.missing(handle, this.parts.footer.top.offset)
    return block
  }

  /** Of all index blocks of the file. */
  ordinalOf(block: ValueBlock): number {
    return this.ordinals.get(block)!
  }

  openBlock(block: ValueBlock, bytes: Uint8Array): ValueIndexBlock {
    return openIndexBlock(this.parts, block, { bytes, start: 0 })
  }

  /** Where the value is, as the index says. Throws `FormatError` if it cannot be the one that is meant. */
  placeIn(index: ValueIndexBlock, { handle, owner }: Named, { offset }: ValueBlock): ValuePlace {
    const place = index.find(handle.index)
    if (place === undefined) throw this.missing(handle, offset)
    if (place.storedBytes <= this.storedBytesMax(handle, owner)) return place
    // Before so much is read for it.
    throw new FormatError(`a value of another length than the ${handle.length} bytes of its handle`, place.offset)
  }

  /** The value that stands there, piece by piece. */
  reading(place: ValuePlace, { handle, owner }: Named): ValueReading {
    return new ValueReading(this.parts, place, { owner, length: handle.length })
  }

  private missing({ file, index }: ValueHandle, offset: number): FormatError {
    return new FormatError(`value ${index} of file ${file} is referred to and not there`, offset)
  }

  private storedBytesMax({ length }: ValueHandle, { keyEnd, keyStart, sequence }: ValueOwner): number {
    const keyLength = keyEnd - keyStart
    const plain = varintBytes(sequence) + varintBytes(keyLength) + keyLength + length
    const pieces = Math.ceil(plain / pieceBytes)
    return plain + pieces * (pieceLengthBytes + storedBlockExtra(this.parts.sealer.tagBytes))
  }
}

/** Which value is meant, and whose it must be. */
export interface Named {
  readonly handle: ValueHandle
  readonly owner: ValueOwner
}
