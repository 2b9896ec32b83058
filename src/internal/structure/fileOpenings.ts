// Files that a job reads, opened one after the other; a slice is over after each.
import { assert } from "../format/formatError.ts"
import type { Sealer } from "../format/sealer.ts"
import { inFile } from "./fileDamage.ts"
import type { JobAnswer, JobFile, JobRequest, Opening } from "./jobRequest.ts"

/** A file, and what becomes of it. */
export interface FileToOpen<O extends Opening> {
  readonly file: JobFile
  /** Given the size of the file. Throws `FormatError`. */
  readonly begin: (fileBytes: number) => O
  readonly opened: (opening: O) => void
  /** Nothing more of the file is read. */
  readonly closes?: boolean
}

type Stage = "rest" | "open" | "opening" | "close"

export class FileOpenings<O extends Opening> {
  private readonly waiting: Array<FileToOpen<O>>
  private stage: Stage = "open"
  private opening: O | undefined

  constructor(files: ReadonlyArray<FileToOpen<O>>) {
    this.waiting = [...files].reverse()
  }

  /** `undefined` when all are open. */
  next(): JobRequest | undefined {
    const current = this.waiting.at(-1)
    if (current === undefined) return undefined
    const { file } = current
    switch (this.stage) {
      case "rest":
        return { _tag: "Pause" }
      case "open":
        return { _tag: "Open", file }
      case "opening":
        return this.open(current, this.opening!)
      case "close":
        return { _tag: "Close", file }
    }
  }

  feed(answer: JobAnswer): void {
    const { begin, file } = this.waiting.at(-1)!
    switch (this.stage) {
      case "rest":
        this.stage = "open"
        return
      case "open":
        assert(typeof answer === "number", "the size of a file was asked for")
        this.opening = inFile(file, () => begin(answer))
        this.stage = "opening"
        return
      case "opening":
        inFile(file, () => this.opening!.feed(answer as Uint8Array | Sealer))
        return
      case "close":
        this.end()
    }
  }

  private open({ closes, file, opened }: FileToOpen<O>, opening: O): JobRequest | undefined {
    const asked = inFile(file, () => opening.next())
    if (asked?._tag === "Sealer") return asked
    if (asked !== undefined) return { _tag: "Read", file, offset: asked.offset, length: asked.length }
    opened(opening)
    this.opening = undefined
    this.stage = "close"
    if (closes !== true) this.end()
    return this.next()
  }

  private end(): void {
    this.waiting.pop()
    this.stage = "rest"
  }
}
