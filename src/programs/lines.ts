// Lines of a byte stream, as the bytes between line feeds: a line that is stored must not pass through text and back.

const lineFeed = 10
const carriageReturn = 13

const withoutReturn = (line: Uint8Array): Uint8Array =>
  line.at(-1) === carriageReturn ? line.subarray(0, line.length - 1) : line

/** A line is longer than allowed; `line` counts from 1. */
export class LineTooLong extends Error {
  readonly line: number
  constructor(line: number, bytesMax: number) {
    super(`the line is over the value limit of ${bytesMax} bytes`)
    this.line = line
  }
}

/** Cuts chunks into lines, and holds what follows the last line feed. */
export class LineSplitter {
  readonly #bytesMax: number
  #parts: Array<Uint8Array> = []
  #length = 0
  #lines = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** The lines that end in this chunk, as copies. Throws `LineTooLong`. */
  push(chunk: Uint8Array): Array<Uint8Array> {
    const lines: Array<Uint8Array> = []
    let start = 0
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      this.#keep(chunk.subarray(start, end))
      lines.push(this.#take())
      start = end + 1
    }
    this.#keep(chunk.subarray(start))
    return lines
  }

  /** The last line, if the stream did not end with a line feed. */
  end(): Array<Uint8Array> {
    return this.#length === 0 ? [] : [this.#take()]
  }

  #keep(part: Uint8Array): void {
    // A return before the line feed is not part of the line, but it is not known yet which this is.
    if (this.#length + part.length > this.#bytesMax + 1) throw new LineTooLong(this.#lines + 1, this.#bytesMax)
    if (part.length === 0) return
    this.#parts.push(part)
    this.#length += part.length
  }

  #take(): Uint8Array {
    const line = new Uint8Array(this.#length)
    let offset = 0
    for (const part of this.#parts) {
      line.set(part, offset)
      offset += part.length
    }
    this.#parts = []
    this.#length = 0
    this.#lines += 1
    return withoutReturn(line)
  }
}
