// One new table: its versions are added, then its range removals; outputFile.ts does the rest.
import type { EntryView } from "../format/blockEntry.ts"
import { FileKind } from "../format/fileHeader.ts"
import { assert } from "../format/formatError.ts"
import type { RangeRemoval } from "../format/table.ts"
import { TableBuilder } from "../format/tableBuilder.ts"
import type { TableMeta } from "../format/tableMeta.ts"
import { codecToWrite } from "../format/zstd.ts"
import type { JobAnswer, JobRequest, NewFile } from "./jobRequest.ts"
import type { JobSetup } from "./jobWork.ts"
import { OutputFile } from "./outputFile.ts"
import { TableOpening } from "./tableOpening.ts"

/** Entered into the filter in one slice, about a millisecond. */
const filterKeysMax = 32 * 1024

export class TableOutput {
  private readonly output: OutputFile
  private readonly setup: JobSetup
  private readonly level: number
  private builder: TableBuilder | undefined
  private removals: ReadonlyArray<RangeRemoval> | undefined
  private isEnding = false
  private finished: TableMeta | undefined

  constructor(options: { readonly setup: JobSetup; readonly file: NewFile; readonly level: number }) {
    const { file, level, setup } = options
    this.output = new OutputFile({ setup, file, kind: "table", fileKind: FileKind.table })
    this.setup = setup
    this.level = level
  }

  /** The bytes of the file so far. */
  get bytes(): number {
    return this.filled().bytes
  }

  lastKey(): Uint8Array {
    return this.builder!.lastKey()
  }

  /** What the manifest pins of it, when it is written. */
  get meta(): TableMeta | undefined {
    return this.output.isWritten ? this.finished : undefined
  }

  /** The next version. Only when nothing is asked for. */
  add(entry: EntryView, isHidden: boolean): void {
    assert(this.output.isFilling, "a table is filled when its file is there")
    this.filled().add(entry, isHidden)
  }

  /** No version follows. These are the table's, and with its versions there is one thing at least. */
  end(removals: ReadonlyArray<RangeRemoval>): void {
    assert(this.removals === undefined, "a table ends once")
    this.removals = removals
  }

  /** What is needed now; `undefined` if it is to be filled, or is written. */
  next(): JobRequest | undefined {
    if (!this.output.isFilling) return this.output.next()
    if (this.removals !== undefined) return this.finish(this.removals)
    const builder = this.filled()
    return this.output.fill(builder.bytes, builder)
  }

  feed(answer: JobAnswer): void {
    this.output.feed(answer)
  }

  private filled(): TableBuilder {
    this.builder ??= this.begin(this.output)
    return this.builder
  }

  private begin({ header, sealer }: OutputFile): TableBuilder {
    const { blockBytes, compressedBlockBytes, filterBitsPerKey, indexBytesMax, tableCodec } = this.setup
    const codec = codecToWrite(sealer, tableCodec)
    const blocks = { blockBytes, compressedBlockBytes, codec }
    return new TableBuilder({ ...blocks, header, filterBitsPerKey, indexBytesMax, sealer })
  }

  private finish(removals: ReadonlyArray<RangeRemoval>): JobRequest {
    const builder = this.filled()
    if (!this.isEnding) {
      for (const removal of removals) builder.addRangeRemoval(removal)
      this.isEnding = true
    }
    if (!builder.prepare(filterKeysMax)) return { _tag: "Pause" }
    const { chunks, facts } = builder.finish()
    const meta = { ...facts, level: this.level }
    const { databaseId } = this.setup
    this.finished = meta
    this.builder = undefined
    return this.output.end(
      chunks,
      (fileBytes) => new TableOpening({ meta, fileBytes, databaseId, withFilter: true, withPartitions: true })
    )
  }
}
