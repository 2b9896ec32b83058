// A worker thread that runs jobs: the kernel over system calls. It imports nothing of Effect, which would take it a
// tenth of a second and some megabytes; and it is one file in `dist`.
//
// It may have several jobs at once, and works on one for a millisecond or so before it looks for messages. Flushes go
// first: writers wait for them. While a file is synced, others go on.
import * as fs from "node:fs"
import * as path from "node:path"
import { parentPort, workerData } from "node:worker_threads"
import { tableFileName, valueFileName } from "../internal/format/fileName.ts"
import { FileDamage } from "../internal/structure/fileDamage.ts"
import { kernelOf } from "../internal/structure/kernelOf.ts"
import {
  type FromWorker,
  type JobFailure,
  JobWord,
  type RunMessage,
  type ThreadKeys,
  ThreadWord,
  type ToWorker
} from "../internal/structure/jobMessages.ts"
import { isFlush } from "../internal/structure/jobWork.ts"
import { ThreadGate } from "../internal/structure/threadGate.ts"
import type { JobAnswer, JobFile, JobRequest, JobResult, Kernel, SealedFile } from "../internal/structure/jobRequest.ts"
import { threadSealer } from "../internal/format/aead.ts"
import type { Codecs } from "../internal/format/codec.ts"
import { checksumOpener, checksumSealer, type Sealer, withCodecs } from "../internal/format/sealer.ts"
import { WorkerCodecs } from "./workerCodecs.ts"

type Asked<Tag extends JobRequest["_tag"]> = Extract<JobRequest, { readonly _tag: Tag }>

const port = parentPort!
const thread = workerData as Int32Array
const workerCodecs = new WorkerCodecs(new ThreadGate(thread, ThreadWord.gate))
const send = (message: FromWorker): void => port.postMessage(message)

/** While a system call is under way, its thread shows so often that it lives. */
const aliveMillis = 1000
/** Chunks are copied together up to here: one write of many chunks costs more. */
const stagingBytes = 256 * 1024

interface Call {
  readonly operation: string
  readonly file: JobFile
  readonly offset?: number
}

/** A failed system call. */
class DiskFailure extends Error {
  readonly failure: JobFailure

  constructor(call: Call, code: string) {
    super(`${code}: ${call.operation} of ${call.file.kind} ${call.file.number}`)
    this.failure = { _tag: "Disk", ...call, offset: call.offset, code }
  }
}

const codeOf = (error: unknown): string => {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined
  if (typeof code !== "string") return "UNKNOWN"
  return code.startsWith("ERR_") ? "EINVAL" : code
}

const calling = <A>(call: Call, run: () => A): A => {
  try {
    return run()
  } catch (error) {
    throw error instanceof DiskFailure ? error : new DiskFailure(call, codeOf(error))
  }
}

const { O_CREAT, O_EXCL, O_RDONLY, O_WRONLY } = fs.constants
// Neither exists on Windows.
const noFollow = (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0)

const closeQuietly = (fd: number): void => {
  try {
    fs.closeSync(fd)
  } catch {
    // Nothing more can be done with it.
  }
}

interface WrittenFile {
  readonly file: JobFile
  readonly fd: number
  size: number
}

/** The files of one job. */
class JobFiles {
  bytesRead = 0
  bytesWritten = 0
  private readonly directory: string
  private readonly words: Int32Array
  /** Open for reading. */
  private readonly reading = new Map<number, number>()
  /** Of each lane: filled again by each read. */
  private readonly buffers = new Map<number, Uint8Array>()
  private readonly writing = new Map<number, WrittenFile>()
  private staging: Uint8Array | undefined

  constructor({ directory, words }: RunMessage) {
    this.directory = directory
    this.words = words
  }

  open(file: JobFile): number {
    return calling({ operation: "open", file }, () => {
      const fd = fs.openSync(this.pathOf(file), O_RDONLY | noFollow)
      this.reading.set(file.number, fd)
      return fs.fstatSync(fd).size
    })
  }

  read({ file, lane, length, offset }: Asked<"Read">): Uint8Array {
    const call = { operation: "read", file, offset }
    const fd = this.reading.get(file.number)!
    const buffer = lane === undefined ? new Uint8Array(length) : this.bufferOf(lane, length)
    let done = 0
    while (done < length) {
      const count = calling(call, () => fs.readSync(fd, buffer, done, length - done, offset + done))
      if (count === 0) throw new DiskFailure(call, "ESHORT")
      done += count
    }
    this.bytesRead += length
    return buffer.subarray(0, length)
  }

  /** A failure says nothing: nothing was written. */
  closeInput({ number }: JobFile): void {
    const fd = this.reading.get(number)!
    this.reading.delete(number)
    closeQuietly(fd)
  }

  create(file: JobFile): void {
    // Counted before it is made: if this thread dies in between, the owner finds nothing to remove.
    Atomics.add(this.words, JobWord.created, 1)
    try {
      const fd = fs.openSync(this.pathOf(file), O_CREAT | O_EXCL | O_WRONLY | noFollow, 0o600)
      this.writing.set(file.number, { file, fd, size: 0 })
    } catch (error) {
      // Whatever has this name is not ours.
      Atomics.sub(this.words, JobWord.created, 1)
      throw new DiskFailure({ operation: "create", file }, codeOf(error))
    }
  }

  append({ chunks, file }: Asked<"Append">): void {
    const writing = this.writing.get(file.number)!
    this.staging ??= new Uint8Array(stagingBytes)
    const { staging } = this
    let staged = 0
    for (const chunk of chunks) {
      if (staged + chunk.length > staging.length) {
        this.write(writing, staging, staged)
        staged = 0
      }
      if (chunk.length > staging.length) this.write(writing, chunk, chunk.length)
      else {
        staging.set(chunk, staged)
        staged += chunk.length
      }
    }
    this.write(writing, staging, staged)
  }

  /** Syncs and closes a file that is written. */
  publish(file: JobFile, done: (failure: DiskFailure | undefined) => void): void {
    const { fd } = this.writing.get(file.number)!
    const alive = setInterval(() => void Atomics.add(thread, ThreadWord.progress, 1), aliveMillis)
    fs.fdatasync(fd, (failed) => {
      clearInterval(alive)
      if (failed) return done(new DiskFailure({ operation: "sync", file }, codeOf(failed)))
      this.writing.delete(file.number)
      fs.close(fd, (error) => done(error ? new DiskFailure({ operation: "close", file }, codeOf(error)) : undefined))
    })
  }

  /** Failures say nothing: what was written was closed before it was read back. */
  close(): void {
    const fds = [...this.reading.values(), ...[...this.writing.values()].map(({ fd }) => fd)]
    this.reading.clear()
    this.writing.clear()
    for (const fd of fds) closeQuietly(fd)
  }

  private bufferOf(lane: number, length: number): Uint8Array {
    let buffer = this.buffers.get(lane)
    if (buffer === undefined || buffer.length < length) {
      buffer = new Uint8Array(length)
      this.buffers.set(lane, buffer)
    }
    return buffer
  }

  private write(writing: WrittenFile, bytes: Uint8Array, length: number): void {
    const call = { operation: "append", file: writing.file, offset: writing.size }
    for (let done = 0; done < length;) {
      const count = calling(call, () => fs.writeSync(writing.fd, bytes, done, length - done, writing.size))
      if (count === 0) throw new DiskFailure(call, "EIO")
      done += count
      writing.size += count
      this.bytesWritten += count
    }
  }

  private pathOf({ kind, number }: JobFile): string {
    return path.join(this.directory, (kind === "table" ? tableFileName : valueFileName)(number))
  }
}

/** The same as the encryption's own, of the keys that came with the job. */
const sealerOf = ({ cipher, generations }: ThreadKeys, file: SealedFile): Sealer => {
  if (cipher !== "none") return threadSealer(generations, file)
  return file.access === "seal" ? checksumSealer : checksumOpener
}

class RunningJob {
  readonly id: number
  readonly isFlush: boolean
  /** Nothing can be done until an answer comes. */
  waiting = false
  private readonly files: JobFiles
  private readonly kernel: Kernel
  private readonly words: Int32Array
  private readonly keys: ThreadKeys
  private readonly codecs: Codecs
  private answer: JobAnswer = undefined
  private asked = false

  constructor(message: RunMessage, codecs: Codecs) {
    this.id = message.id
    this.codecs = codecs
    this.isFlush = isFlush(message.work)
    this.words = message.words
    this.keys = message.keys
    this.files = new JobFiles(message)
    this.kernel = kernelOf(message.work, message.setup)
  }

  /** Goes on until a slice is over, an answer has to come, or the job has ended; true if it has. */
  slice(): boolean {
    try {
      while (!this.waiting) {
        if (Atomics.load(this.words, JobWord.cancelled) === 1) return this.fail({ _tag: "Cancelled" })
        if (this.asked) this.kernel.feed(this.answer)
        const request = this.kernel.next()
        Atomics.add(thread, ThreadWord.progress, 1)
        if (request._tag === "Done") {
          this.end(request)
          return true
        }
        this.asked = true
        this.answer = this.answerTo(request)
        if (request._tag === "Pause") return false
      }
      return false
    } catch (error) {
      return this.fail(failureOf(error))
    }
  }

  /** The answer that the job waits for. */
  take(answer: JobAnswer): void {
    this.answer = answer
    this.waiting = false
    work()
  }

  private answerTo(request: JobRequest): JobAnswer {
    switch (request._tag) {
      case "Open":
        return this.files.open(request.file)
      case "Read":
        return this.files.read(request)
      case "Close":
        this.files.closeInput(request.file)
        return undefined
      case "Sealer":
        return this.sealerOf(request.file)
      case "Files":
        this.waiting = true
        send({ _tag: "Files", id: this.id })
        return undefined
      case "Create":
        this.files.create(request.file)
        return undefined
      case "Append":
        this.files.append(request)
        return undefined
      case "Publish":
        this.publish(request.file)
        return undefined
      default:
        return undefined
    }
  }

  private sealerOf(file: SealedFile): Sealer {
    return withCodecs(sealerOf(this.keys, file), this.codecs)
  }

  private publish(file: JobFile): void {
    this.waiting = true
    this.files.publish(file, (failure) => {
      if (failure === undefined) return this.take(undefined)
      this.fail(failure.failure)
      jobs.delete(this.id)
      work()
    })
  }

  private fail(failure: JobFailure): true {
    this.end({ _tag: "Failed", failure })
    return true
  }

  private end(
    outcome:
      | ({ readonly _tag: "Done" } & JobResult)
      | {
          readonly _tag: "Failed"
          readonly failure: JobFailure
        }
  ): void {
    const { bytesRead, bytesWritten } = this.files
    this.files.close()
    send({ ...outcome, id: this.id, bytesRead, bytesWritten })
  }
}

const failureOf = (error: unknown): JobFailure => {
  if (error instanceof DiskFailure) return error.failure
  if (error instanceof FileDamage) {
    const { message, offset, tampered, unsupported } = error.error
    return { _tag: "Damage", file: error.file, message, offset, tampered, unsupported }
  }
  return { _tag: "Bug", message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

const jobs = new Map<number, RunningJob>()
let scheduled = false

const nextJob = (): RunningJob | undefined => {
  const able = [...jobs.values()].filter(({ waiting }) => !waiting)
  return able.find(({ isFlush }) => isFlush) ?? able[0]
}

const turn = (): void => {
  scheduled = false
  const job = nextJob()
  if (job === undefined) return
  if (job.slice()) jobs.delete(job.id)
  work()
}

/** Messages are heard between two slices. */
const work = (): void => {
  if (scheduled) return
  scheduled = true
  setImmediate(turn)
}

const begin = (message: RunMessage, codecs: Codecs): void => {
  jobs.set(message.id, new RunningJob(message, codecs))
  work()
}

const refuse = ({ id }: RunMessage, error: unknown): void => {
  const message = `a worker cannot load a codec: ${error instanceof Error ? error.message : String(error)}`
  send({ _tag: "Failed", id, failure: { _tag: "Codecs", message }, bytesRead: 0, bytesWritten: 0 })
}

port.on("message", (message: ToWorker) => {
  if (message._tag === "Files") return jobs.get(message.id)?.take(message.files)
  if (message.codecs.length === 0) return begin(message, workerCodecs.builtin)
  void workerCodecs.with(message.codecs).then(
    (codecs) => begin(message, codecs),
    (error: unknown) => refuse(message, error)
  )
})
send({ _tag: "Ready" })
