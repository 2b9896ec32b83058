// One new table, from its number to the proof that it can be read: create, append, sync, close, and read back what a
// reader will look at first. It asks for all of this with values.
import type { EntryView } from "../format/blockEntry.ts"
import { type FileHeader, FileKind } from "../format/fileHeader.ts"
import { assert } from "../format/formatError.ts"
import type { Sealer } from "../format/sealer.ts"
import { TableBuilder } from "../format/tableBuilder.ts"
import type { TableMeta } from "../format/tableMeta.ts"
import { inFile } from "./fileDamage.ts"
import type { JobAnswer, JobFile, JobRequest, NewFile } from "./jobRequest.ts"
import type { JobSetup } from "./jobWork.ts"
import type { RangeRemoval } from "../format/table.ts"
import { TableOpening } from "./tableOpening.ts"

/** Of one append: enough that its fixed cost does not show, and few enough to be written on the calling stack. */
const appendBytes = 64 * 1024
/** Entered into the filter in one slice, about a millisecond. */
const filterKeysMax = 32 * 1024

type Stage = "sealer" | "create" | "filling" | "ending" | "ended" | "publish" | "open" | "check" | "written"

export class TableOutput {
  private readonly file: JobFile
  private readonly header: FileHeader
  private readonly setup: JobSetup
  private readonly level: number
  private stage: Stage = "sealer"
  private builder: TableBuilder | undefined
  private taken = 0
  private removals: ReadonlyArray<RangeRemoval> | undefined
  private opening: TableOpening | undefined
  private finished: TableMeta | undefined

  constructor(options: { readonly setup: JobSetup; readonly file: NewFile; readonly level: number }) {
    const { file, setup } = options
    const { databaseId, epoch, format, incarnation, keyGeneration, tagBytes } = setup
    const kind = FileKind.table
    const own = { kind, fileNumber: file.number, fileId: file.fileId }
    this.header = { ...own, format, tagBytes, keyGeneration, databaseId, incarnation, epoch }
    this.file = { kind: "table", number: file.number }
    this.setup = setup
    this.level = options.level
  }

  /** The bytes of the file so far. */
  get bytes(): number {
    return this.builder?.bytes ?? 0
  }

  lastKey(): Uint8Array {
    return this.builder!.lastKey()
  }

  /** What the manifest pins of it, when it is written. */
  get meta(): TableMeta | undefined {
    return this.stage === "written" ? this.finished : undefined
  }

  /** The next version. Only when nothing is asked for. */
  add(entry: EntryView, isHidden: boolean): void {
    assert(this.stage === "filling", "a table is filled when its file is there")
    this.builder!.add(entry, isHidden)
  }

  /** No version follows. These are the table's, and with its versions there is one thing at least. */
  end(removals: ReadonlyArray<RangeRemoval>): void {
    assert(this.removals === undefined, "a table ends once")
    this.removals = removals
  }

  /** What is needed now; `undefined` if it is to be filled, or is written. */
  next(): JobRequest | undefined {
    const { file } = this
    switch (this.stage) {
      case "sealer":
        return { _tag: "Sealer", file: this.header }
      case "create":
        return { _tag: "Create", file }
      case "filling":
        return this.fill()
      case "ending":
        return this.finish()
      case "publish":
        return { _tag: "Publish", file }
      case "open":
        return { _tag: "Open", file }
      case "check":
        return this.check()
      default:
        return undefined
    }
  }

  feed(answer: JobAnswer): void {
    switch (this.stage) {
      case "sealer":
        this.begin(answer as Sealer)
        this.stage = "create"
        return
      case "create":
        this.stage = "filling"
        return
      case "ended":
        this.stage = "publish"
        return
      case "publish":
        this.stage = "open"
        return
      case "open":
        this.opening = this.reading(() => this.openingOf(answer as number))
        this.stage = "check"
        return
      case "check":
        this.reading(() => this.opening!.feed(answer as Uint8Array | Sealer))
        break
      default:
    }
  }

  private begin(sealer: Sealer): void {
    const { blockBytes, filterBitsPerKey, indexBytesMax } = this.setup
    this.builder = new TableBuilder({ header: this.header, blockBytes, filterBitsPerKey, indexBytesMax, sealer })
  }

  private fill(): JobRequest | undefined {
    const builder = this.builder!
    if (this.removals !== undefined) {
      for (const removal of this.removals) builder.addRangeRemoval(removal)
      this.stage = "ending"
      return this.finish()
    }
    if (builder.bytes - this.taken < appendBytes) return undefined
    this.taken = builder.bytes
    return { _tag: "Append", file: this.file, chunks: builder.take() }
  }

  private finish(): JobRequest {
    if (!this.builder!.prepare(filterKeysMax)) return { _tag: "Pause" }
    const { chunks, facts } = this.builder!.finish()
    this.finished = { ...facts, level: this.level }
    this.builder = undefined
    this.stage = "ended"
    return { _tag: "Append", file: this.file, chunks }
  }

  private openingOf(fileBytes: number): TableOpening {
    const { databaseId } = this.setup
    return new TableOpening({ meta: this.finished!, fileBytes, databaseId, withFilter: true, withPartitions: true })
  }

  private check(): JobRequest | undefined {
    const asked = this.reading(() => this.opening!.next())
    if (asked === undefined) {
      this.opening = undefined
      this.stage = "written"
      return undefined
    }
    if (asked._tag === "Sealer") return asked
    return { _tag: "Read", file: this.file, offset: asked.offset, length: asked.length }
  }

  private reading<A>(decode: () => A): A {
    return inFile(this.file, decode)
  }
}
