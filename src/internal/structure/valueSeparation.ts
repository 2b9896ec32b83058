// What a flush does with values that are too long for a table: each moves to a value file, and a handle stands in its
// place. Their order in the file is that of the table, so that neighbouring keys have neighbouring values; a file's
// only section has the file's number, and its indexes count up from 0.
import { type EntryView, makeEntryView } from "../format/blockEntry.ts"
import { ByteWriter } from "../format/bytes.ts"
import { Kind } from "../format/record.ts"
import { storedValueBytesMax } from "../format/valueFile.ts"
import type { ValueFileBuilder } from "../format/valueFileBuilder.ts"
import type { ValueFileMeta } from "../format/valueFileMeta.ts"
import { handleBytesMax, type ValueHandle, writeHandle } from "../format/valueHandle.ts"
import type { FileSupply } from "./fileSupply.ts"
import type { JobAnswer, JobRequest } from "./jobRequest.ts"
import type { JobSetup } from "./jobWork.ts"
import { ValueOutput } from "./valueOutput.ts"

/** Of a value, copied and sealed in one slice. */
const sliceBytesMax = 64 * 1024

export class ValueSeparation {
  /** What goes to the table instead, when a value has moved. */
  readonly entry: EntryView = makeEntryView()
  /** Those that are written, in the order of their values. */
  readonly files: Array<ValueFileMeta> = []
  private readonly setup: JobSetup
  private readonly supply: FileSupply
  private readonly threshold: number
  private readonly fileBytesMax: number
  private readonly bytes = new ByteWriter()
  private output: ValueOutput | undefined
  /** Values in the output. */
  private count = 0
  /** Up to where the value has moved; -1 if it has not begun to. */
  private at = -1
  private isLast = false
  private asking: FileSupply | ValueOutput | undefined

  constructor(options: {
    readonly setup: JobSetup
    readonly supply: FileSupply
    readonly values: { readonly threshold: number; readonly fileBytesMax: number }
  }) {
    this.setup = options.setup
    this.supply = options.supply
    this.threshold = options.values.threshold
    this.fileBytesMax = options.values.fileBytesMax
  }

  isFor({ kind, valueEnd, valueStart }: EntryView): boolean {
    return kind === Kind.set && valueEnd - valueStart > this.threshold
  }

  /** Moves the value of the entry, which must be given again after each answer; `undefined` when it has moved. */
  move(entry: EntryView): JobRequest | undefined {
    for (;;) {
      const { output } = this
      if (output === undefined) {
        const request = this.open()
        if (request === undefined) continue
        return request
      }
      const request = output.next()
      if (request !== undefined) return this.ask(output, request)
      if (output.meta !== undefined) this.take(output.meta)
      else if (this.at < 0 && !this.fits(output, entry)) output.end()
      else return this.push(output, entry)
    }
  }

  /** After the last value: ends the file that is open; `undefined` when all are written. */
  finish(): JobRequest | undefined {
    const { output } = this
    if (output === undefined) return undefined
    if (!this.isLast) output.end()
    this.isLast = true
    const request = output.next()
    if (request !== undefined) return this.ask(output, request)
    this.take(output.meta!)
    return undefined
  }

  feed(answer: JobAnswer): void {
    const { asking } = this
    this.asking = undefined
    asking?.feed(answer)
  }

  private ask(asking: FileSupply | ValueOutput, request: JobRequest): JobRequest {
    this.asking = asking
    return request
  }

  private open(): JobRequest | undefined {
    const { setup, supply } = this
    const file = supply.take()
    if (file === undefined) return this.ask(supply, supply.request)
    this.output = new ValueOutput({ setup, file })
    this.count = 0
    return undefined
  }

  private take(meta: ValueFileMeta): void {
    this.files.push(meta)
    this.output = undefined
  }

  private fits(output: ValueOutput, entry: EntryView): boolean {
    if (this.count === 0) return true
    const bytes = entry.valueEnd - entry.valueStart + entry.keyEnd - entry.keyStart
    return output.bytesWith({ count: 1, storedBytes: storedValueBytesMax(bytes) }) <= this.fileBytesMax
  }

  /** A slice of the value, or all of it if it is short. */
  private push(output: ValueOutput, entry: EntryView): JobRequest | undefined {
    const { builder } = output
    const { valueEnd: end, valueStart: start } = entry
    if (this.at < 0 && this.count === 0) builder.beginSection(output.number)
    if (end - start <= sliceBytesMax) builder.add(this.count, entry, { bytes: entry.bytes, start, end })
    else if (!this.pushSlice(builder, entry)) return { _tag: "Pause" }
    this.replace(entry, { file: output.number, index: this.count, length: end - start })
    this.count += 1
    this.at = -1
    return undefined
  }

  /** True when the value has ended. */
  private pushSlice(builder: ValueFileBuilder, entry: EntryView): boolean {
    if (this.at < 0) {
      builder.beginValue(this.count, entry)
      this.at = entry.valueStart
    }
    const end = Math.min(entry.valueEnd, this.at + sliceBytesMax)
    builder.push(entry.bytes.subarray(this.at, end))
    this.at = end
    if (end < entry.valueEnd) return false
    builder.endValue()
    return true
  }

  private replace(from: EntryView, handle: ValueHandle): void {
    const { bytes, entry } = this
    bytes.reset()
    bytes.range(from.bytes, from.keyStart, from.keyEnd)
    bytes.reserve(handleBytesMax)
    entry.keyStart = 0
    entry.keyEnd = bytes.offset
    entry.valueStart = bytes.offset
    entry.valueEnd = writeHandle(bytes.bytes, bytes.offset, handle)
    entry.bytes = bytes.bytes
    entry.kind = Kind.valueHandle
    entry.flags = from.flags
    entry.sequence = from.sequence
    entry.expiresAt = from.expiresAt
    entry.userMeta = from.userMeta
  }
}
