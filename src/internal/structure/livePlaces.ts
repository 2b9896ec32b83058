// Where the live values of one section stand in their file: its index, read from front to back, beside the list of what
// is live. A live value that the index does not have is damage: a table names it.
import { FormatError } from "../format/formatError.ts"
import type { ValueBlock } from "../format/valueFile.ts"
import type { ValueIndexEntry } from "../format/valueIndex.ts"
import { FileDamage, inFile } from "./fileDamage.ts"
import type { JobAnswer, JobFile, JobRequest } from "./jobRequest.ts"
import { openIndexBlock, type ValueFileParts } from "./valueFileOpening.ts"

/** Of the index, read at once. */
const readBytesMax = 64 * 1024

export class LivePlaces {
  /** By index, which is also their order in the file. */
  readonly places: Array<ValueIndexEntry> = []
  /** Of all places. */
  storedBytes = 0
  private readonly parts: ValueFileParts
  private readonly file: JobFile
  private readonly id: number
  private readonly blocks: ReadonlyArray<ValueBlock>
  private readonly live: Uint32Array
  /** The next block, that behind those which were asked for, and the next live value. */
  private at = 0
  private end = 0
  private seen = 0
  /** A slice is over after each read. */
  private rested = true

  constructor(options: { readonly parts: ValueFileParts; readonly id: number; readonly live: Uint32Array }) {
    const { id, live, parts } = options
    this.parts = parts
    this.file = { kind: "value", number: parts.meta.number }
    this.id = id
    this.blocks = parts.sections.find((section) => section.id === id)!.blocks
    this.live = live
  }

  /** `undefined` when all places are known. */
  next(): JobRequest | undefined {
    const { at, blocks, file } = this
    if (this.seen === this.live.length) return undefined
    if (!this.rested) return { _tag: "Pause" }
    if (at === blocks.length) throw this.missing()
    const { offset } = blocks[at]!
    let length = 0
    for (this.end = at; this.end < blocks.length; this.end++) {
      const { bytes } = blocks[this.end]!
      if (length > 0 && length + bytes > readBytesMax) break
      length += bytes
    }
    return { _tag: "Read", file, offset, length }
  }

  feed(answer: JobAnswer): void {
    if (!this.rested) {
      this.rested = true
      return
    }
    const bytes = answer as Uint8Array
    const { offset } = this.blocks[this.at]!
    for (; this.at < this.end; this.at++) {
      const block = this.blocks[this.at]!
      this.take(block, { bytes, start: block.offset - offset })
    }
    this.rested = false
  }

  private take(block: ValueBlock, stored: { readonly bytes: Uint8Array; readonly start: number }): void {
    const { live, places } = this
    const opened = inFile(this.file, () => openIndexBlock(this.parts, block, stored))
    for (let position = 0; position < opened.count && this.seen < live.length; position++) {
      const entry = opened.at(position)
      if (entry.index < live[this.seen]) continue
      if (entry.index > live[this.seen]) throw this.missing()
      places.push(entry)
      this.storedBytes += entry.storedBytes
      this.seen += 1
    }
  }

  private missing(): Error {
    const { offset } = this.blocks[Math.min(this.at, this.blocks.length - 1)]!
    const index = this.live[this.seen]
    const message = `value ${index} of section ${this.id}, which a table names, is not in the index`
    return new FileDamage(this.file, new FormatError(message, offset))
  }
}
