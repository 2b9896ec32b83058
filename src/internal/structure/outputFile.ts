// One new file, from its number to the proof that it can be read: it asks for its sealer, is created, filled by its
// owner, synced, closed, and what a reader will look at first is read back. It asks for all of this with values.
//
//   sealer → create → filling → ending → publish → open → check → close → written
import type { FileHeader, FileKind } from "../format/fileHeader.ts"
import { assert } from "../format/formatError.ts"
import type { Sealer } from "../format/sealer.ts"
import { inFile } from "./fileDamage.ts"
import { type JobAnswer, type JobFile, type JobRequest, type NewFile, openedFile, type Opening } from "./jobRequest.ts"
import type { JobSetup } from "./jobWork.ts"

/** Of one append: enough that its fixed cost does not show, and few enough to be written on the calling stack. */
export const appendBytes = 64 * 1024

type Stage = "sealer" | "create" | "filling" | "ending" | "publish" | "open" | "check" | "close" | "written"

export class OutputFile {
  readonly file: JobFile
  readonly header: FileHeader
  private stage: Stage = "sealer"
  private given: Sealer | undefined
  private taken = 0
  private openingOf: ((fileBytes: number) => Opening) | undefined
  private opening: Opening | undefined

  constructor(options: {
    readonly setup: JobSetup
    readonly file: NewFile
    readonly kind: JobFile["kind"]
    readonly fileKind: FileKind
  }) {
    const { file, fileKind, kind, setup } = options
    const { databaseId, epoch, format, incarnation, keyGeneration, tagBytes } = setup
    const own = { kind: fileKind, fileNumber: file.number, fileId: file.fileId }
    this.file = { kind, number: file.number }
    this.header = { ...own, format, tagBytes, keyGeneration, databaseId, incarnation, epoch }
  }

  get isFilling(): boolean {
    return this.stage === "filling"
  }

  get isWritten(): boolean {
    return this.stage === "written"
  }

  /** Of the file. Only when it is there. */
  get sealer(): Sealer {
    assert(this.given !== undefined, "a file is filled when it is there")
    return this.given
  }

  /** While it is filled: what the builder has ready, if that is enough for an append; it has made so many bytes. */
  fill(bytes: number, builder: { readonly take: () => ReadonlyArray<Uint8Array> }): JobRequest | undefined {
    if (bytes - this.taken < appendBytes) return undefined
    this.taken = bytes
    return { _tag: "Append", file: this.file, chunks: builder.take() }
  }

  /** The last chunks, and how the file is opened when they are written. */
  end(chunks: ReadonlyArray<Uint8Array>, openingOf: (fileBytes: number) => Opening): JobRequest {
    assert(this.stage === "filling", "a file ends once")
    this.stage = "ending"
    this.openingOf = openingOf
    return { _tag: "Append", file: this.file, chunks }
  }

  /** What is needed now; `undefined` if it is to be filled, or is written. */
  next(): JobRequest | undefined {
    const { file, header, stage } = this
    switch (stage) {
      case "sealer":
        return { _tag: "Sealer", file: { ...openedFile(header), access: "seal" } }
      case "create":
        return { _tag: "Create", file }
      case "publish":
        return { _tag: "Publish", file }
      case "open":
        return { _tag: "Open", file }
      case "check":
        return this.check()
      case "close":
        return { _tag: "Close", file }
      default:
        return undefined
    }
  }

  feed(answer: JobAnswer): void {
    switch (this.stage) {
      case "sealer":
        this.given = answer as Sealer
        this.stage = "create"
        return
      case "create":
        this.stage = "filling"
        return
      case "ending":
        this.stage = "publish"
        return
      case "publish":
        this.stage = "open"
        return
      case "open":
        this.opening = inFile(this.file, () => this.openingOf!(answer as number))
        this.stage = "check"
        return
      case "check":
        inFile(this.file, () => this.opening!.feed(answer as Uint8Array | Sealer))
        return
      case "close":
        this.stage = "written"
        break
      default:
    }
  }

  private check(): JobRequest | undefined {
    const asked = inFile(this.file, () => this.opening!.next())
    if (asked === undefined) {
      this.opening = undefined
      this.stage = "close"
      return this.next()
    }
    if (asked._tag === "Sealer") return asked
    return { _tag: "Read", file: this.file, offset: asked.offset, length: asked.length }
  }
}
