// Opening a table: what can be known of it without reading its blocks, piece by piece, each checked before it is
// believed.
//
//   header → sealer → footer → index → [partition]* → [filter] → [range removals] → [value references]
//   header → sealer → footer → [value references]                 where the index is not wanted
//
// All that the manifest pins is compared: size, header and footer first, then the sections, each by its own tag, which
// the footer's covers. It asks for bytes with values; whoever drives it reads them.
import { decodeFileHeader, type FileHeader, fileHeaderBytes, FileKind, fileTagOf } from "../format/fileHeader.ts"
import { checkFilter } from "../format/filter.ts"
import { assert } from "../format/formatError.ts"
import { type Sealer, sealerOf } from "../format/sealer.ts"
import { decodingAt, Layout, openBlock } from "../format/storedBlock.ts"
import {
  decodeFooter,
  decodeRangeRemovals,
  type Footer,
  footerBytes,
  type RangeRemoval,
  type Section
} from "../format/table.ts"
import { IndexTop } from "../format/indexTop.ts"
import { TableIndex } from "../format/tableIndex.ts"
import type { TableMeta } from "../format/tableMeta.ts"
import { decodeValueRefs, type FileRefs } from "../format/valueRefs.ts"
import { openedFile, type OpeningRequest } from "./jobRequest.ts"
import {
  checkFooter,
  checkHeader,
  checkIndex,
  checkLast,
  checkRangeRemovals,
  checkSize,
  checkValueRefs,
  footerOffset
} from "./tableFacts.ts"

/** What is needed to open pieces of a file. */
export interface SealedTable {
  readonly sealer: Sealer
  readonly fileTag: number
}

interface CommonParts extends SealedTable {
  readonly footer: Footer
  /** `undefined` if the table has none, or it was not wanted. */
  readonly filter: Uint8Array | undefined
  readonly rangeRemovals: ReadonlyArray<RangeRemoval>
  /** None if they were not wanted. */
  readonly valueRefs: ReadonlyArray<FileRefs>
}

export interface OpenedTableParts extends CommonParts {
  readonly index: TableIndex
}

/** With the top alone of an index that is cut into partitions. */
export interface ReadableParts extends CommonParts {
  readonly index: TableIndex | IndexTop
}

/** The plain bytes of a stored block. Throws `FormatError`. */
export const openStored = (
  table: SealedTable,
  layout: Layout,
  stored: { readonly bytes: Uint8Array; readonly offset: number }
): Uint8Array =>
  openBlock({
    bytes: stored.bytes,
    start: 0,
    length: stored.bytes.length,
    layout,
    fileTag: table.fileTag,
    offset: stored.offset,
    sealer: table.sealer
  })

type SectionStage = "index" | "filter" | "rangeRemovals" | "valueRefs"
type Stage = "header" | "sealer" | "footer" | SectionStage | "partitions" | "opened"

export class TableOpening {
  private readonly meta: TableMeta
  private readonly fileBytes: number
  private readonly databaseId: Uint8Array
  private readonly withFilter: boolean
  private readonly withPartitions: boolean
  private readonly withIndex: boolean
  private readonly withValueRefs: boolean
  private stage: Stage = "header"
  private fileHeader: Uint8Array = new Uint8Array(0)
  private header: FileHeader | undefined
  private sealer: Sealer | undefined
  private footer: Footer | undefined
  private index: TableIndex | undefined
  private top: IndexTop | undefined
  private readonly partitions: Array<TableIndex> = []
  private filter: Uint8Array | undefined
  private rangeRemovals: ReadonlyArray<RangeRemoval> = []
  private refs: ReadonlyArray<FileRefs> = []

  /** Throws `FormatError` if the file is not as long as it must be. */
  constructor(options: {
    readonly meta: TableMeta
    readonly fileBytes: number
    readonly databaseId: Uint8Array
    readonly withFilter: boolean
    /** All of the index; needed for `opened`. */
    readonly withPartitions: boolean
    /** Which values its entries name. By default not. */
    readonly withValueRefs?: boolean
    /** False: neither the index nor the filter and the range removals, only `valueRefs`. */
    readonly withIndex?: boolean
  }) {
    checkSize(options.meta, options.fileBytes)
    this.meta = options.meta
    this.fileBytes = options.fileBytes
    this.databaseId = options.databaseId
    this.withFilter = options.withFilter
    this.withPartitions = options.withPartitions
    this.withValueRefs = options.withValueRefs ?? false
    this.withIndex = options.withIndex ?? true
  }

  /** What is wanted next; `undefined` when the table is open. Throws `FormatError`. */
  next(): OpeningRequest | undefined {
    switch (this.stage) {
      case "header":
        return range({ offset: 0, bytes: Math.min(fileHeaderBytes, this.fileBytes) })
      case "sealer":
        return { _tag: "Sealer", file: openedFile(this.header!) }
      case "footer": {
        const bytes = footerBytes(this.sealer!.tagBytes)
        return range({ offset: footerOffset(this.meta, bytes), bytes })
      }
      case "partitions":
        return range(this.partition())
      case "opened":
        return undefined
      default:
        return range(this.footer![this.stage])
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

  get opened(): OpenedTableParts {
    const { index } = this
    assert(index !== undefined, "the whole index was read")
    return { ...this.common(), index }
  }

  get readable(): ReadableParts {
    const index = this.index ?? this.top
    assert(index !== undefined, "the index was wanted")
    return { ...this.common(), index }
  }

  /** Which values of which files its entries name. */
  get valueRefs(): ReadonlyArray<FileRefs> {
    assert(this.stage === "opened" && this.withValueRefs, "the references to values were read")
    return this.refs
  }

  private common(): CommonParts {
    assert(this.stage === "opened", "the table is open")
    const { filter, footer, header, rangeRemovals, refs: valueRefs, sealer } = this
    return { sealer: sealer!, fileTag: fileTagOf(header!.fileId), footer: footer!, filter, rangeRemovals, valueRefs }
  }

  private take(bytes: Uint8Array): void {
    switch (this.stage) {
      case "header":
        return this.takeHeader(bytes)
      case "footer":
        return this.takeFooter(bytes)
      case "index":
        return this.takeIndex(bytes)
      case "partitions":
        return this.takePartition(bytes)
      case "filter":
        return this.takeFilter(bytes)
      case "rangeRemovals":
        return this.takeRangeRemovals(bytes)
      default:
        return this.takeValueRefs(bytes)
    }
  }

  private takeHeader(bytes: Uint8Array): void {
    const header = decodeFileHeader(bytes, FileKind.table)
    checkHeader(this.meta, header, this.databaseId)
    this.fileHeader = bytes.slice()
    this.header = header
    this.stage = "sealer"
  }

  private takeFooter(bytes: Uint8Array): void {
    const { fileBytes, fileHeader, header, meta, sealer } = this
    const footer = decodeFooter({ bytes, fileBytes, fileHeader, sealer: sealer! })
    checkFooter(meta, header!, footer)
    this.footer = footer
    this.stage = this.withIndex ? "index" : this.afterRangeRemovals()
  }

  private takeIndex(bytes: Uint8Array): void {
    const footer = this.footer!
    if (footer.partitionsBytes > 0) return this.takeTop(bytes)
    this.index = this.section({ layout: Layout.index, section: footer.index, bytes }, (plain) => {
      const index = TableIndex.open(plain, footer.blocksBytes)
      checkIndex(this.meta, footer, index)
      return index
    })
    this.stage = this.afterIndex()
  }

  private takeTop(bytes: Uint8Array): void {
    const footer = this.footer!
    this.top = this.section({ layout: Layout.indexTop, section: footer.index, bytes }, (plain) => {
      const top = IndexTop.open(plain, footer)
      checkLast(this.meta, footer, top)
      return top
    })
    this.stage = this.withPartitions ? "partitions" : this.afterIndex()
  }

  private partition(): Section {
    const { lengths, offsets } = this.top!
    const ordinal = this.partitions.length
    return { offset: offsets[ordinal], bytes: lengths[ordinal] }
  }

  private takePartition(bytes: Uint8Array): void {
    const top = this.top!
    const { partitions } = this
    partitions.push(
      this.section({ layout: Layout.index, section: this.partition(), bytes }, (plain) =>
        top.open(partitions.length, plain)
      )
    )
    if (partitions.length < top.count) return
    const index = TableIndex.joined(partitions)
    checkIndex(this.meta, this.footer!, index)
    this.index = index
    this.stage = this.afterIndex()
  }

  private afterIndex(): Stage {
    return this.withFilter && this.footer!.filter.bytes > 0 ? "filter" : this.afterFilter()
  }

  private takeFilter(bytes: Uint8Array): void {
    this.filter = this.section({ layout: Layout.filter, section: this.footer!.filter, bytes }, (plain) => {
      checkFilter(plain)
      return plain
    })
    this.stage = this.afterFilter()
  }

  private takeRangeRemovals(bytes: Uint8Array): void {
    const footer = this.footer!
    const section = { layout: Layout.rangeRemovals, section: footer.rangeRemovals, bytes }
    this.rangeRemovals = this.section(section, (plain) => {
      const removals = decodeRangeRemovals(plain)
      checkRangeRemovals(this.meta, footer, removals)
      return removals
    })
    this.stage = this.afterRangeRemovals()
  }

  private afterFilter(): Stage {
    return this.footer!.rangeRemovals.bytes > 0 ? "rangeRemovals" : this.afterRangeRemovals()
  }

  private takeValueRefs(bytes: Uint8Array): void {
    const footer = this.footer!
    this.refs = this.section({ layout: Layout.valueRefs, section: footer.valueRefs, bytes }, (plain) => {
      const refs = decodeValueRefs(plain)
      checkValueRefs(this.meta, footer, refs)
      return refs
    })
    this.stage = "opened"
  }

  private afterRangeRemovals(): Stage {
    return this.withValueRefs && this.footer!.valueRefs.bytes > 0 ? "valueRefs" : "opened"
  }

  private section<A>(
    stored: { readonly layout: Layout; readonly section: Section; readonly bytes: Uint8Array },
    decode: (plain: Uint8Array) => A
  ): A {
    const { offset } = stored.section
    const table = { sealer: this.sealer!, fileTag: fileTagOf(this.header!.fileId) }
    const plain = openStored(table, stored.layout, { bytes: stored.bytes, offset })
    return decodingAt(offset, () => decode(plain))
  }
}

const range = ({ bytes, offset }: Section): OpeningRequest => ({ _tag: "Range", offset, length: bytes })
