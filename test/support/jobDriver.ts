// Drives a job's kernel over files in memory, and reads its tables back.
import { assert } from "@effect/vitest"
import { BlockReader } from "../../src/internal/format/block.ts"
import { concatBytes, readU32 } from "../../src/internal/format/bytes.ts"
import { makeEntryView } from "../../src/internal/format/blockEntry.ts"
import { checksumSealer, type Sealer } from "../../src/internal/format/sealer.ts"
import { Layout } from "../../src/internal/format/storedBlock.ts"
import type { TableMeta } from "../../src/internal/format/tableMeta.ts"
import type { JobAnswer, JobFile, JobRequest, JobResult, NewFile } from "../../src/internal/structure/jobRequest.ts"
import type { AnyWork, JobSetup, JobWork } from "../../src/internal/structure/jobWork.ts"
import { kernelOf } from "../../src/internal/structure/kernelOf.ts"
import { type OpenedTableParts, openStored, TableOpening } from "../../src/internal/structure/tableOpening.ts"
import { fromView, type Plain } from "../internal/format/entries.ts"
import { fileOf, type Held, header } from "./jobPlan.ts"

export class MemoryFiles {
  /** Of every file. */
  sealer: Sealer = checksumSealer
  readonly files = new Map<number, Uint8Array>()
  readonly requests: Array<JobRequest["_tag"]> = []
  /** Numbers of the files that can be read, and how many they were at most. */
  readonly opened = new Set<number>()
  openedMax = 0
  readonly reads: Array<Extract<JobRequest, { readonly _tag: "Read" }>> = []
  onAppend: (file: JobFile, bytes: number) => void = () => {}
  /** The number of the next file beyond those of the setup. */
  next = 1000
  private readonly lanes = new Map<number, Uint8Array>()
  private readonly writing = new Map<number, Array<Uint8Array>>()

  answer(request: JobRequest): JobAnswer {
    this.requests.push(request._tag)
    switch (request._tag) {
      case "Open":
        this.opened.add(request.file.number)
        this.openedMax = Math.max(this.openedMax, this.opened.size)
        return this.files.get(request.file.number)!.length
      case "Read":
        this.reads.push(request)
        return this.read(request)
      case "Close":
        assert.isTrue(this.opened.delete(request.file.number), "what is closed was open")
        return undefined
      case "Sealer":
        return this.sealer
      case "Files":
        return [this.newFile()]
      case "Create":
        assert.isFalse(this.files.has(request.file.number), "a file is made once")
        this.writing.set(request.file.number, [])
        return undefined
      case "Append":
        this.onAppend(
          request.file,
          request.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
        )
        this.writing.get(request.file.number)!.push(...request.chunks.map((chunk) => chunk.slice()))
        return undefined
      case "Publish":
        this.publish(request.file.number)
        return undefined
      default:
        return undefined
    }
  }

  run(work: JobWork, setup: JobSetup): ReadonlyArray<TableMeta> {
    return this.perform(work, setup).tables
  }

  perform(work: AnyWork, setup: JobSetup): JobResult {
    const kernel = kernelOf(work, setup)
    for (;;) {
      const request = kernel.next()
      if (request._tag === "Done") return request
      kernel.feed(this.answer(request))
    }
  }

  /** What a table holds, checked as it is opened. */
  held(meta: TableMeta): Held {
    const bytes = this.files.get(meta.number)!
    const opened = this.partsOf(meta)
    const points: Array<Plain> = []
    const view = makeEntryView()
    for (let ordinal = 0; ordinal < opened.index.count; ordinal++) {
      const offset = opened.index.offsets[ordinal]!
      const stored = bytes.slice(offset, offset + opened.index.lengths[ordinal]!)
      const block = BlockReader.open(openStored(opened, Layout.entries, { bytes: stored, offset }))
      for (let index = 0; index < block.count; index++) {
        block.read(index, view)
        points.push(fromView(view))
      }
    }
    const text = (key: Uint8Array) => Buffer.from(key).toString("latin1")
    const removals = opened.rangeRemovals.map(({ from, sequence, to }) => ({
      from: text(from),
      to: text(to),
      sequence
    }))
    return { points, removals }
  }

  private partsOf(meta: TableMeta): OpenedTableParts {
    const bytes = this.files.get(meta.number)!
    const { databaseId } = header
    const opening = new TableOpening({
      meta,
      fileBytes: bytes.length,
      databaseId,
      withFilter: true,
      withPartitions: true
    })
    for (let request = opening.next(); request !== undefined; request = opening.next()) {
      const { _tag } = request
      opening.feed(_tag === "Sealer" ? this.sealer : bytes.slice(request.offset, request.offset + request.length))
    }
    return opening.opened
  }

  /** What the trailers of its blocks say. */
  blocksOf(meta: TableMeta): ReadonlyArray<{ readonly codec: number; readonly plainLength: number }> {
    const bytes = this.files.get(meta.number)!
    const { index } = this.partsOf(meta)
    return Array.from(index.offsets, (offset, ordinal) => {
      const trailer = offset + index.lengths[ordinal]! - this.sealer.tagBytes - 6
      return { codec: bytes[trailer + 1]!, plainLength: readU32(bytes, trailer + 2) }
    })
  }

  /** What was read before in the same lane is spoilt. */
  private read({ file, lane = -1, length, offset }: Extract<JobRequest, { readonly _tag: "Read" }>): Uint8Array {
    assert.isTrue(this.opened.has(file.number), "what is read is open")
    const bytes = this.files.get(file.number)!.slice(offset, offset + length)
    this.lanes.get(lane)?.fill(0xee)
    if (lane >= 0) this.lanes.set(lane, bytes)
    return bytes
  }

  private publish(number: number): void {
    this.files.set(number, concatBytes([new Uint8Array(0), ...this.writing.get(number)!]))
    this.writing.delete(number)
  }

  private newFile(): NewFile {
    this.next += 1
    return fileOf(this.next)
  }
}
