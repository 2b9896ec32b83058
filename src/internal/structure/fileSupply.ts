// The new files that a job may make: those it was given, and more when they are used up. It creates them in this order.
import type { JobAnswer, JobRequest, NewFile } from "./jobRequest.ts"

export class FileSupply {
  private readonly files: Array<NewFile>

  constructor(files: ReadonlyArray<NewFile>) {
    this.files = [...files]
  }

  /** `undefined`: more have to be asked for. */
  take(): NewFile | undefined {
    return this.files.shift()
  }

  readonly request: JobRequest = { _tag: "Files" }

  feed(answer: JobAnswer): void {
    this.files.push(...(answer as ReadonlyArray<NewFile>))
  }
}
