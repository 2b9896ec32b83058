/**
 * File handles of the simulated disk, each in the ledger from its opening to its close.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { SimulatedFile } from "../internal/structure/simulatedFiles.ts"
import { type AppendFile, DiskError, type ReadFile } from "../services/Disk.ts"
import { checkRead, placed } from "./MemoryDisk.ts"
import type { SimDevice } from "./SimDisk.ts"
import type { FaultRule, LieRule } from "./SimFaults.ts"

/**
 * A handle that is open.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenHandle {
  readonly kind: "append" | "read"
  readonly path: string
  /** The index of the call that opened it. */
  readonly index: number
}

/**
 * One `AppendFile` of the simulated disk.
 *
 * @internal
 */
export class SimAppendFile implements AppendFile {
  readonly path: string
  readonly #device: SimDevice
  readonly #file: SimulatedFile
  readonly #handle: OpenHandle
  #size = 0
  #failedSync: DiskError | undefined
  readonly sync: Effect.Effect<void, DiskError>
  readonly close: Effect.Effect<void, DiskError>
  readonly appendUnsafe: AppendFile["appendUnsafe"]

  constructor(device: SimDevice, path: string, file: SimulatedFile) {
    this.path = path
    this.#device = device
    this.#file = file
    this.#handle = { kind: "append", path, index: device.log.length }
    device.handles.add(this.#handle)
    if (device.options.synchronousAppends === true) {
      this.appendUnsafe = (bytes, length) => {
        const chunks = [bytes.subarray(0, length)]
        device.serve(
          ["append", path],
          () => this.#append(chunks),
          (rule) => this.#failAppend(chunks, rule)
        )
      }
    }
    this.sync = device.call(
      ["sync", path],
      () => this.#sync(),
      (rule) => this.#failSync(rule)
    )
    this.close = device.call(
      ["closeAppend", path],
      () => this.#close(),
      () => this.#close()
    )
  }

  size(): number {
    return this.#size
  }

  append(chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, DiskError> {
    return this.#device.call(
      ["append", this.path],
      () => this.#append(chunks),
      (rule) => this.#failAppend(chunks, rule)
    )
  }

  #append(chunks: ReadonlyArray<Uint8Array>): void {
    this.#checkUsable("append")
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    const lie = this.#device.lieOf(this.path)
    if (lie !== undefined) return this.#pretend(chunks, lie)
    const free = this.#device.freeBytes
    const accepted = this.#take(chunks, Math.min(bytes, free))
    if (accepted < bytes) throw this.#error("append", "ENOSPC", accepted)
  }

  #failAppend(chunks: ReadonlyArray<Uint8Array>, rule: FaultRule) {
    this.#checkUsable("append")
    const bytesAccepted = this.#take(chunks, rule.bytesAccepted ?? 0)
    return { offset: this.#size, bytesAccepted }
  }

  /** Appends at most so many bytes; returns how many. */
  #take(chunks: ReadonlyArray<Uint8Array>, bytesMax: number): number {
    let taken = 0
    for (const chunk of chunks) {
      const bytes = chunk.subarray(0, bytesMax - taken)
      this.#device.files.append(this.#file, bytes)
      taken += bytes.length
    }
    this.#size += taken
    return taken
  }

  /** Whoever appends believes that all of it is there. */
  #pretend(chunks: ReadonlyArray<Uint8Array>, rule: LieRule): void {
    const { lie } = rule
    for (const chunk of chunks) {
      const isThere = lie === "copied" || lie === "duplicated"
      this.#device.files.append(this.#file, isThere ? chunk : new Uint8Array(chunk.length))
      this.#size += chunk.length
    }
    if (lie === "duplicated") for (const chunk of chunks) this.#device.files.append(this.#file, chunk)
    if (lie !== "misdirected" && lie !== "copied") return
    const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
    let at = 0
    for (const chunk of chunks) {
      whole.set(chunk, at)
      at += chunk.length
    }
    this.#device.stray(whole, rule)
  }

  #sync(): void {
    this.#checkUsable("sync")
    if (!this.#device.ignoresSync("sync", this.path)) this.#file.sync()
  }

  #failSync(rule: FaultRule): { readonly offset?: number } {
    this.#checkUsable("sync")
    this.#file.sync(rule.syncModel ?? "dropped")
    this.#failedSync = this.#error("sync", rule.code)
    return {}
  }

  #close(): Record<string, never> {
    this.#device.handles.delete(this.#handle)
    return {}
  }

  #checkUsable(operation: string): void {
    if (!this.#device.handles.has(this.#handle)) throw this.#error(operation, "EBADF")
    if (this.#failedSync !== undefined) throw this.#failedSync
  }

  #error(operation: string, code: string, bytesAccepted?: number): DiskError {
    const about = { operation, file: this.path, code }
    return new DiskError(bytesAccepted === undefined ? about : { ...about, offset: this.#size, bytesAccepted })
  }
}

/**
 * One `ReadFile` of the simulated disk.
 *
 * @internal
 */
export class SimReadFile implements ReadFile {
  readonly path: string
  readonly size: number
  readonly #device: SimDevice
  readonly #file: SimulatedFile
  readonly #handle: OpenHandle
  readonly close: Effect.Effect<void, DiskError>
  readonly readUnsafe: ReadFile["readUnsafe"]
  readonly closeUnsafe: (() => void) | undefined

  constructor(device: SimDevice, path: string, file: SimulatedFile) {
    this.path = path
    this.size = file.visibleSize
    this.#device = device
    this.#file = file
    this.#handle = { kind: "read", path, index: device.log.length }
    device.handles.add(this.#handle)
    this.close = device.call(
      ["closeRead", path],
      () => this.#close(),
      () => this.#close()
    )
    this.readUnsafe =
      device.options.synchronousReads === true
        ? (offset, length, into) =>
            device.serve(
              ["read", path],
              () => this.#read(offset, length, into),
              () => ({ offset })
            )
        : undefined
    this.closeUnsafe =
      device.options.synchronousReads === true
        ? () =>
            void device.serve(
              ["closeRead", path],
              () => this.#close(),
              () => this.#close()
            )
        : undefined
  }

  read(offset: number, length: number): Effect.Effect<Uint8Array, DiskError> {
    return this.#device.call(
      ["read", this.path],
      () => this.#read(offset, length),
      () => ({ offset })
    )
  }

  #read(offset: number, length: number, into?: Uint8Array): Uint8Array {
    if (!this.#device.handles.has(this.#handle)) {
      throw new DiskError({ operation: "read", file: this.path, offset, code: "EBADF" })
    }
    checkRead({ path: this.path, size: Math.min(this.size, this.#file.visibleSize) }, offset, length)
    return placed(this.#file.content.view(offset, offset + length), into)
  }

  #close(): Record<string, never> {
    this.#device.handles.delete(this.#handle)
    return {}
  }
}
