// Opening a value file: what can be known of it without reading its index or a value, piece by piece, each checked
// before it is believed.
//
//   header → sealer → footer → top
//
// As with tables (tableOpening.ts) all that the manifest pins is compared, and it asks for bytes with values.
import { decodeFileHeader, type FileHeader, fileHeaderBytes, FileKind, fileTagOf } from "../format/fileHeader.ts"
import { assert, FormatError } from "../format/formatError.ts"
import { type Sealer, sealerOf } from "../format/sealer.ts"
import { decodingAt, Layout, openBlock } from "../format/storedBlock.ts"
import {
  decodeValueFooter,
  decodeValueTop,
  type PlacedSection,
  type ValueBlock,
  type ValueFooter,
  valueFooterBytes
} from "../format/valueFile.ts"
import type { ValueFileMeta } from "../format/valueFileMeta.ts"
import { ValueIndexBlock } from "../format/valueIndex.ts"
import type { SealedValues } from "../format/valuePieces.ts"
import { openedFile, type OpeningRequest } from "./jobRequest.ts"
import { checkValueFileHeader, checkValueFileSize, checkValueFooter, checkValueTop } from "./valueFileFacts.ts"

/** What is needed to find and open the values of a file. */
export interface ValueFileParts extends SealedValues {
  readonly meta: ValueFileMeta
  readonly footer: ValueFooter
  /** By id, ascending; as in the meta, with their index blocks. */
  readonly sections: ReadonlyArray<PlacedSection>
}

/** The index block that names the value, if the file has it; `undefined` where it surely has not. */
export const locate = (parts: ValueFileParts, id: number, index: number): ValueBlock | undefined => {
  const blocks = sectionOf(parts, id)?.blocks
  if (blocks === undefined) return undefined
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (blocks[middle].firstIndex <= index) low = middle + 1
    else high = middle
  }
  return blocks[low - 1]
}

const sectionOf = ({ sections }: ValueFileParts, id: number): PlacedSection | undefined => {
  let low = 0
  let high = sections.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sections[middle].id < id) low = middle + 1
    else high = middle
  }
  return sections[low]?.id === id ? sections[low] : undefined
}

/** Opens an index block out of its stored bytes, which begin at `start`. Throws `FormatError`. */
export const openIndexBlock = (
  parts: ValueFileParts,
  { bytes: length, firstIndex, offset }: ValueBlock,
  stored: { readonly bytes: Uint8Array; readonly start: number }
): ValueIndexBlock => {
  const { fileTag, sealer } = parts
  const plain = openBlock({ ...stored, length, layout: Layout.valueIndex, fileTag, offset, sealer })
  return indexBlockOf(parts, { offset, firstIndex }, plain)
}

/** The same of its plain bytes, as a cache may keep them. Throws `FormatError`. */
export const indexBlockOf = (
  { footer }: ValueFileParts,
  { firstIndex, offset }: Pick<ValueBlock, "offset" | "firstIndex">,
  plain: Uint8Array
): ValueIndexBlock =>
  decodingAt(offset, () => {
    const block = ValueIndexBlock.open(plain, footer.index.offset)
    if (block.at(0).index !== firstIndex) throw new FormatError("an index block begins with another value", 0)
    return block
  })

type Stage = "header" | "sealer" | "footer" | "top" | "opened"

export class ValueFileOpening {
  private readonly meta: ValueFileMeta
  private readonly fileBytes: number
  private readonly databaseId: Uint8Array
  private stage: Stage = "header"
  private fileHeader: Uint8Array = new Uint8Array(0)
  private header: FileHeader | undefined
  private sealer: Sealer | undefined
  private footer: ValueFooter | undefined
  private sections: ReadonlyArray<PlacedSection> = []

  /** Throws `FormatError` if the file is not as long as it must be. */
  constructor(options: { readonly meta: ValueFileMeta; readonly fileBytes: number; readonly databaseId: Uint8Array }) {
    checkValueFileSize(options.meta, options.fileBytes)
    this.meta = options.meta
    this.fileBytes = options.fileBytes
    this.databaseId = options.databaseId
  }

  /** What is wanted next; `undefined` when the file is open. Throws `FormatError`. */
  next(): OpeningRequest | undefined {
    switch (this.stage) {
      case "header":
        return { _tag: "Range", offset: 0, length: fileHeaderBytes }
      case "sealer":
        return { _tag: "Sealer", file: openedFile(this.header!) }
      case "footer": {
        const length = valueFooterBytes(this.sealer!.tagBytes)
        return { _tag: "Range", offset: Math.max(this.fileBytes - length, 0), length }
      }
      case "top": {
        const { bytes: length, offset } = this.footer!.top
        return { _tag: "Range", offset, length }
      }
      case "opened":
        return undefined
    }
  }

  /** The answer to what was wanted. Throws `FormatError`. */
  feed(answer: Uint8Array | Sealer): void {
    if (this.stage === "sealer") {
      assert(!(answer instanceof Uint8Array), "a sealer was asked for")
      this.sealer = sealerOf(this.header!, () => answer)
      this.stage = "footer"
    } else {
      assert(answer instanceof Uint8Array, "bytes were asked for")
      this.take(answer)
    }
  }

  get opened(): ValueFileParts {
    assert(this.stage === "opened", "the value file is open")
    const { footer, meta, sections } = this
    return { ...this.sealed(), meta, footer: footer!, sections }
  }

  private take(bytes: Uint8Array): void {
    switch (this.stage) {
      case "header":
        return this.takeHeader(bytes)
      case "footer":
        return this.takeFooter(bytes)
      default:
        return this.takeTop(bytes)
    }
  }

  private takeHeader(bytes: Uint8Array): void {
    const header = decodeFileHeader(bytes, FileKind.valueFile)
    checkValueFileHeader(this.meta, header, this.databaseId)
    this.fileHeader = bytes.slice()
    this.header = header
    this.stage = "sealer"
  }

  private takeFooter(bytes: Uint8Array): void {
    const { fileBytes, fileHeader, header, meta, sealer } = this
    const footer = decodeValueFooter({ bytes, fileBytes, fileHeader, sealer: sealer! })
    checkValueFooter(meta, header!, footer)
    this.footer = footer
    this.stage = "top"
  }

  private takeTop(bytes: Uint8Array): void {
    const { footer, meta } = this
    const { index, top } = footer!
    const stored = { bytes, start: 0, length: bytes.length, layout: Layout.valueTop, offset: top.offset }
    const plain = openBlock({ ...stored, ...this.sealed() })
    this.sections = decodingAt(top.offset, () => decodeValueTop(plain, index.offset))
    checkValueTop({ meta, footer: footer!, sections: this.sections, tagBytes: this.sealer!.tagBytes })
    this.stage = "opened"
  }

  private sealed(): SealedValues {
    return { sealer: this.sealer!, fileTag: fileTagOf(this.header!.fileId) }
  }
}
