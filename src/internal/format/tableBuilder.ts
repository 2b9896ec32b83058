// Builds a table's bytes (table.ts) from entries that come in table order. It writes nothing: its owner appends the
// chunks it takes, in order, and nothing else, to a new file.
import { ByteWriter } from "./bytes.ts"
import { BlockBuilder } from "./block.ts"
import { BlockCompressor } from "./blockCompressor.ts"
import type { EntryView } from "./blockEntry.ts"
import { crc32 } from "./checksum.ts"
import { type Codec, CodecId } from "./codec.ts"
import { compareBytes, hashKey, hashKeyHigh } from "./compare.ts"
import { encodeFileHeader, type FileHeader, fileHeaderBytes, FileKind, fileTagOf } from "./fileHeader.ts"
import { FilterBuilder } from "./filter.ts"
import { assert } from "./formatError.ts"
import { Kind, storedKeyBytesMax } from "./record.ts"
import type { Sealer } from "./sealer.ts"
import { OutputChunks } from "./outputChunks.ts"
import { Layout, sealBlock, sealBlockInPlace, storedBlockExtra } from "./storedBlock.ts"
import {
  encodeFooter,
  encodeProperties,
  encodeRangeRemovals,
  footerBytes,
  lastCovered,
  type RangeRemoval,
  type TableProperties
} from "./table.ts"
import { encodeIndexTop } from "./indexTop.ts"
import { TableIndexBuilder } from "./tableIndex.ts"
import type { TableMeta } from "./tableMeta.ts"
import { encodeValueRefs, type FileRefs, summaryOf, ValueRefsBuilder } from "./valueRefs.ts"

/** Of a partition: few enough that a search in one that is not in memory costs little more than the read. */
const partitionBytesMax = 16 * 1024

const emptyBytes = new Uint8Array(0)

/** What the manifest will pin; only the level is not the table's own. */
export type TableFacts = Omit<TableMeta, "level">

export class TableBuilder {
  private readonly header: FileHeader
  private readonly fileHeader: Uint8Array
  private readonly fileTag: number
  private readonly blockBytes: number
  private readonly compressedBlockBytes: number
  private readonly filterBitsPerKey: number
  private readonly indexBytesMax: number
  private readonly sealer: Sealer
  private readonly codec: Codec | undefined
  private readonly compressor: BlockCompressor | undefined
  /** Where blocks are made that are to be compressed. */
  private scratch: Uint8Array = emptyBytes
  private readonly block = new BlockBuilder()
  private readonly index = new TableIndexBuilder()
  private readonly filter = new FilterBuilder()
  private readonly removals: Array<RangeRemoval> = []
  private readonly refs = new ValueRefsBuilder()
  private readonly output = new OutputChunks()
  private offset = fileHeaderBytes
  private blockTagsCrc = 0
  // The key of the entry added last, and its sequence.
  private readonly last = new ByteWriter()
  private lastSequence = 0
  private smallest: Uint8Array | undefined
  private largest: Uint8Array | undefined
  private hiddenCount = 0
  private readonly facts = {
    entryCount: 0,
    removeCount: 0,
    rangeRemovalCount: 0,
    sequenceMin: Number.MAX_SAFE_INTEGER,
    sequenceMax: 0,
    keyBytes: 0,
    valueBytes: 0,
    expiringCount: 0,
    expiresAtMin: 0
  } satisfies TableProperties

  constructor(options: {
    readonly header: FileHeader
    /** A block is closed before it would grow over this; it holds one entry at least. */
    readonly blockBytes: number
    /** 0: no filter. */
    readonly filterBitsPerKey: number
    /** A longer index is cut into partitions. */
    readonly indexBytesMax: number
    readonly sealer: Sealer
    /** Of the blocks and the index; `undefined`: none. */
    readonly codec?: Codec | undefined
    /** Instead of `blockBytes` while blocks get shorter by the codec. */
    readonly compressedBlockBytes?: number | undefined
  }) {
    const { header, sealer } = options
    assert(header.kind === FileKind.table && header.tagBytes === sealer.tagBytes, "a table has a table's header")
    this.header = header
    this.fileHeader = encodeFileHeader(header)
    this.fileTag = fileTagOf(header.fileId)
    this.blockBytes = options.blockBytes
    this.compressedBlockBytes = options.compressedBlockBytes ?? options.blockBytes
    this.filterBitsPerKey = options.filterBitsPerKey
    this.indexBytesMax = options.indexBytesMax
    this.sealer = sealer
    this.codec = options.codec
    this.compressor = options.codec === undefined ? undefined : new BlockCompressor(options.codec)
    this.output.push(this.fileHeader)
  }

  /** Entries and range removals so far. */
  get count(): number {
    return this.facts.entryCount
  }

  /** The bytes of the file so far, with about those of the block that is not closed. */
  get bytes(): number {
    return this.offset + (this.block.count === 0 ? 0 : this.block.bytes)
  }

  /** A copy of the key that was added last. */
  lastKey(): Uint8Array {
    return this.last.finish()
  }

  /**
   * Copies the entry. Keys ascend, the sequences of one key descend. `isHidden`: the table also holds what hides it
   * from the newest readers.
   */
  add(entry: EntryView, isHidden = false): void {
    const { bytes, keyEnd, keyStart, sequence } = entry
    const { facts, last } = this
    const first = this.smallest === undefined
    const order = first ? -1 : compareBytes(last.bytes, 0, last.offset, bytes, keyStart, keyEnd)
    assert(order < 0 || (order === 0 && sequence < this.lastSequence), "entries are added in table order")
    assert(keyEnd - keyStart <= storedKeyBytesMax, "a key is within its limit")
    if (first) this.smallest = bytes.slice(keyStart, keyEnd)
    if (this.block.count > 0 && this.block.bytes + BlockBuilder.bytesOf(entry) > this.blockBytesMax) this.closeBlock()
    if (order < 0) {
      if (this.filterBitsPerKey > 0) {
        this.filter.add(hashKey(bytes, keyStart, keyEnd), hashKeyHigh(bytes, keyStart, keyEnd))
      }
      last.reset()
      last.range(bytes, keyStart, keyEnd)
    }
    this.lastSequence = sequence
    if (isHidden) this.hiddenCount += 1
    if (entry.kind === Kind.valueHandle) this.refs.add(bytes, entry.valueStart, entry.valueEnd)
    this.block.add(entry)
    this.countEntry(sequence, entry.kind === Kind.remove)
    facts.keyBytes += keyEnd - keyStart
    facts.valueBytes += entry.valueEnd - entry.valueStart
    if (entry.expiresAt > 0) {
      facts.expiringCount += 1
      if (facts.expiringCount === 1 || entry.expiresAt < facts.expiresAtMin) facts.expiresAtMin = entry.expiresAt
    }
  }

  /** Adds a range removal; in any order, beside the entries. The arrays are the builder's from now on. */
  addRangeRemoval(removal: RangeRemoval): void {
    const { from, sequence, to } = removal
    assert(compareBytes(from, 0, from.length, to, 0, to.length) <= 0, "a range removal is not reversed")
    this.removals.push(removal)
    this.facts.rangeRemovalCount += 1
    this.countEntry(sequence, true)
  }

  /** The chunks that are ready to be appended: before anything else is asked of this, which makes others of them. */
  take(): Array<Uint8Array> {
    return this.output.take()
  }

  /**
   * Does a part of what `finish` has to do, for at most so many keys. True when there is no more to do before it;
   * nothing is added any more.
   */
  prepare(keysMax: number): boolean {
    return this.filter.fill(this.filterBitsPerKey, keysMax)
  }

  /** Ends the table: the last chunks, and what the manifest needs to know. The table is not empty. */
  finish(): { readonly chunks: ReadonlyArray<Uint8Array>; readonly facts: TableFacts } {
    const { facts } = this
    assert(facts.entryCount > 0, "a table is not empty")
    if (this.block.count > 0) this.closeBlock()
    if (this.smallest !== undefined) this.largest = this.last.finish()
    const blocksBytes = this.offset - fileHeaderBytes
    const filter = this.filter.finish(this.filterBitsPerKey)
    const filterBytes = filter === undefined ? 0 : this.section(Layout.filter, filter).length
    const { indexBytes, partitionsBytes } = this.indexSections()
    this.removals.sort(removalOrder)
    const rangeRemovalsBytes =
      this.removals.length === 0 ? 0 : this.section(Layout.rangeRemovals, encodeRangeRemovals(this.removals)).length
    const refs = this.refs.finish()
    const valueRefsBytes = refs.length === 0 ? 0 : this.section(Layout.valueRefs, encodeValueRefs(refs)).length
    const propertiesBytes = this.section(Layout.properties, encodeProperties(facts)).length
    const footer = encodeFooter(
      {
        blocksBytes,
        filterBytes,
        partitionsBytes,
        indexBytes,
        rangeRemovalsBytes,
        valueRefsBytes,
        propertiesBytes,
        blockCount: this.index.count,
        blockTagsCrc: this.blockTagsCrc,
        entryCount: facts.entryCount,
        removeCount: facts.removeCount,
        fileBytes: this.offset + footerBytes(this.sealer.tagBytes),
        format: this.header.format
      },
      { fileHeader: this.fileHeader, sealer: this.sealer }
    )
    this.push(footer.chunks, footerBytes(this.sealer.tagBytes))
    return { chunks: this.take(), facts: this.tableFacts(footer.footerCrc, refs) }
  }

  private indexSections(): { readonly partitionsBytes: number; readonly indexBytes: number } {
    const { index, indexBytesMax } = this
    if (index.bytes <= indexBytesMax) {
      return { partitionsBytes: 0, indexBytes: this.section(Layout.index, index.finish()).length }
    }
    const { offset } = this
    const partitions = index.partitions(Math.min(partitionBytesMax, indexBytesMax))
    const lengths = partitions.map(({ plain }) => this.section(Layout.index, plain).length)
    const partitionsBytes = this.offset - offset
    return { partitionsBytes, indexBytes: this.section(Layout.indexTop, encodeIndexTop(partitions, lengths)).length }
  }

  private tableFacts(footerCrc: number, refs: ReadonlyArray<FileRefs>): TableFacts {
    const { entryCount, rangeRemovalCount, removeCount, sequenceMax, sequenceMin } = this.facts
    const { epoch, fileId, fileNumber, keyGeneration } = this.header
    const { largest, smallest } = this.bounds()
    return {
      number: fileNumber,
      bytes: this.offset,
      fileId,
      footerCrc,
      smallest,
      largest,
      entryCount,
      removeCount,
      rangeRemovalCount,
      hiddenCount: this.hiddenCount,
      sequenceMin,
      sequenceMax,
      epoch,
      keyGeneration,
      codec: this.codec?.id ?? CodecId.none,
      valueRefs: summaryOf(refs)
    }
  }

  // The ends of range removals count as keys: a reader must look into this table for every key they cover.
  private bounds(): { readonly smallest: Uint8Array; readonly largest: Uint8Array } {
    let { largest, smallest } = this
    for (const { from, to } of this.removals) {
      if (smallest === undefined || compareBytes(from, 0, from.length, smallest, 0, smallest.length) < 0)
        smallest = from
      const last = lastCovered(to)
      if (largest === undefined || compareBytes(last, 0, last.length, largest, 0, largest.length) > 0) largest = last
    }
    assert(smallest !== undefined && largest !== undefined, "a table that is not empty has bounds")
    return { smallest, largest }
  }

  private countEntry(sequence: number, isRemoval: boolean): void {
    const { facts } = this
    facts.entryCount += 1
    if (isRemoval) facts.removeCount += 1
    if (sequence < facts.sequenceMin) facts.sequenceMin = sequence
    if (sequence > facts.sequenceMax) facts.sequenceMax = sequence
  }

  private get blockBytesMax(): number {
    return this.compressor?.shortens === true ? this.compressedBlockBytes : this.blockBytes
  }

  private closeBlock(): void {
    const { block, fileTag, offset, output, sealer } = this
    const plainLength = block.plainBytes()
    const body = this.compressor === undefined ? undefined : this.compressed(this.compressor, plainLength)
    const bodyLength = body?.length ?? plainLength
    const length = bodyLength + storedBlockExtra(sealer.tagBytes)
    const start = output.place(length)
    const { bytes } = output
    if (body === undefined) block.finish(bytes, start)
    else bytes.set(body, start)
    const codec = bodyLength < plainLength ? this.codec!.id : CodecId.none
    const place = { bytes, start, bodyLength, codec, plainLength, layout: Layout.entries, fileTag, offset }
    const end = sealBlockInPlace({ ...place, sealer })
    assert(end === start + length, "a piece is as long as was announced")
    this.blockTagsCrc = crc32(bytes.subarray(end - sealer.tagBytes, end), this.blockTagsCrc)
    this.index.add(length, this.last.bytes, 0, this.last.offset)
    this.offset += length
  }

  /** What the block becomes, or its plain bytes if that is not short enough. */
  private compressed(compressor: BlockCompressor, plainLength: number): Uint8Array {
    if (this.scratch.length < plainLength)
      this.scratch = new Uint8Array(Math.max(plainLength, 2 * this.compressedBlockBytes))
    this.block.finish(this.scratch, 0)
    const plain = this.scratch.subarray(0, plainLength)
    return compressor.compress(plain) ?? plain
  }

  private section(layout: Layout, plain: Uint8Array): { readonly length: number } {
    const { fileTag, offset, sealer } = this
    const codec = layout === Layout.index || layout === Layout.indexTop ? this.codec : undefined
    const stored = sealBlock({ plain, codec, layout, fileTag, offset, sealer })
    this.push(stored.chunks, stored.length)
    return stored
  }

  private push(chunks: ReadonlyArray<Uint8Array>, length: number): void {
    let total = 0
    for (const chunk of chunks) {
      this.output.push(chunk)
      total += chunk.length
    }
    assert(total === length, "a piece is as long as was announced")
    this.offset += length
  }
}

const removalOrder = (a: RangeRemoval, b: RangeRemoval): number =>
  compareBytes(a.from, 0, a.from.length, b.from, 0, b.from.length) || b.sequence - a.sequence
