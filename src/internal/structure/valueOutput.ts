// One new value file: its owner adds values to the builder; outputFile.ts does the rest.
import { FileKind } from "../format/fileHeader.ts"
import { assert } from "../format/formatError.ts"
import { ValueFileBuilder } from "../format/valueFileBuilder.ts"
import { codecToWrite } from "../format/zstd.ts"
import type { ValueFileMeta } from "../format/valueFileMeta.ts"
import type { JobAnswer, JobRequest, NewFile } from "./jobRequest.ts"
import type { JobSetup } from "./jobWork.ts"
import { OutputFile } from "./outputFile.ts"
import { ValueFileOpening } from "./valueFileOpening.ts"

/** What a value takes of its file's index, with its part of the blocks' tags and of the top. */
const valueIndexRoom = 15
/** What the last block of a section's index may add, and the section in the top; once more, the footer. */
const endBytesMax = 128

export class ValueOutput {
  readonly number: number
  private readonly output: OutputFile
  private readonly databaseId: Uint8Array
  private readonly codec: number
  private made: ValueFileBuilder | undefined
  private isEnding = false
  private finished: ValueFileMeta | undefined

  constructor(options: { readonly setup: JobSetup; readonly file: NewFile }) {
    this.number = options.file.number
    this.output = new OutputFile({ ...options, kind: "value", fileKind: FileKind.valueFile })
    this.databaseId = options.setup.databaseId
    this.codec = options.setup.valuesCodec
  }

  /** To be filled, when nothing is asked for and it has not ended. */
  get builder(): ValueFileBuilder {
    const { output } = this
    assert(output.isFilling, "a value file is filled when it is there")
    this.made ??= this.begin(output)
    return this.made
  }

  /** Values so far. */
  get count(): number {
    return this.builder.count
  }

  /** At most so long would the file be with a section of so many more values, which take so many bytes in a file. */
  bytesWith(more: { readonly count: number; readonly storedBytes: number }): number {
    const { builder } = this
    const indexBytes = valueIndexRoom * (builder.count + more.count)
    return builder.bytes + more.storedBytes + indexBytes + endBytesMax * (builder.sectionCount + 1)
  }

  /** What the manifest pins of it, when it is written. */
  get meta(): ValueFileMeta | undefined {
    return this.output.isWritten ? this.finished : undefined
  }

  /** No value follows. It has one at least. */
  end(): void {
    assert(!this.isEnding, "a value file ends once")
    this.isEnding = true
  }

  /** What is needed now; `undefined` if it is to be filled, or is written. */
  next(): JobRequest | undefined {
    if (!this.output.isFilling) return this.output.next()
    const { builder } = this
    return this.isEnding ? this.finish() : this.output.fill(builder.sealedBytes, builder)
  }

  feed(answer: JobAnswer): void {
    this.output.feed(answer)
  }

  private begin({ header, sealer }: OutputFile): ValueFileBuilder {
    return new ValueFileBuilder({ header, sealer, codec: codecToWrite(sealer, this.codec) })
  }

  private finish(): JobRequest {
    const { databaseId } = this
    const { chunks, meta } = this.builder.finish()
    this.finished = meta
    this.made = undefined
    return this.output.end(chunks, (fileBytes) => new ValueFileOpening({ meta, fileBytes, databaseId }))
  }
}
