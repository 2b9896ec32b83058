/**
 * A disk for simulations: it counts its calls, fails when told so, and can be cut from power at any moment.
 *
 * Every call yields to the scheduler before and after it, so that a seeded scheduler may run anything in between, and
 * touches the files in one step between the two. `powerCut` tells what a power cut would leave at that moment;
 * `MemoryDisk.fromImage` or `make({ image })` opens it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CrashOutcome } from "../internal/structure/crashOutcome.ts"
import { PathError } from "../internal/structure/fileTree.ts"
import { SeededRandom } from "../internal/structure/random.ts"
import { outcomes as simulatedOutcomes, SimulatedFiles } from "../internal/structure/simulatedFiles.ts"
import { Disk, DiskError, type DiskService } from "../services/Disk.ts"
import { joinMemory, probeHeld, takeLock } from "./MemoryDisk.ts"
import type { SimClock } from "./SimClock.ts"
import { type DeviceRule, type FaultRule, Faults, type LieRule, type SimOperation } from "./SimFaults.ts"
import { type OpenHandle, SimAppendFile, SimReadFile } from "./SimFile.ts"

/**
 * One call the device has served.
 *
 * @since 0.1.0
 * @category models
 */
export interface OperationRecord {
  readonly index: number
  readonly operation: SimOperation
  readonly path: string
  /** Undefined if it succeeded. */
  readonly code: string | undefined
}

/**
 * A rule that struck.
 *
 * @since 0.1.0
 * @category models
 */
export interface Strike {
  /** Of the call. */
  readonly index: number
  readonly rule: DeviceRule
  /** What it struck: what the call was about, or the file whose bytes were overwritten or flipped. */
  readonly path: string
}

/**
 * How the simulated disk behaves.
 *
 * @since 0.1.0
 * @category models
 */
export interface SimDiskOptions {
  /** What is on the disk, all of it durable. */
  readonly image?: ReadonlyMap<string, Uint8Array> | undefined
  /** What goes wrong, and when. */
  readonly faults?: ReadonlyArray<DeviceRule> | undefined
  /** The clock of the run, which rules may set. */
  readonly clock?: SimClock | undefined
  /** Called after each call, in the step that served it: the moment to take crash images. */
  readonly onOperation?: ((index: number, operation: SimOperation, path: string) => void) | undefined
  /** A device that says "synced" and did nothing, for showing that the tests would notice. */
  readonly ignoresSync?: ((operation: "sync" | "syncDirectory", path: string) => boolean) | undefined
  /** Files have `readUnsafe`, and so on. It cannot yield. Default false. */
  readonly synchronousReads?: boolean | undefined
  /** Files that are written have `appendUnsafe`. It cannot yield, and is never slow. Default false. */
  readonly synchronousAppends?: boolean | undefined
  /** Bytes the files may have together; an append over it writes what fits and fails `ENOSPC`. Default 2^40. */
  readonly capacityBytes?: number | undefined
}

/**
 * The simulated disk and what a harness needs to drive it.
 *
 * @since 0.1.0
 * @category models
 */
export interface SimDisk {
  readonly layer: Layer.Layer<Disk>
  readonly disk: DiskService
  readonly files: SimulatedFiles
  /** The calls so far. */
  readonly log: ReadonlyArray<OperationRecord>
  /** What the rules have done so far. */
  readonly strikes: ReadonlyArray<Strike>
  /** Handles not closed yet: leaks, once everything is closed. */
  readonly openHandles: () => ReadonlyArray<OpenHandle>
  /** What would be on the disk if the power failed now: one of `outcomes`, or its place in them. */
  readonly powerCut: (outcome: CrashOutcome | number, seed: number) => Map<string, Uint8Array>
  readonly addFault: (rule: DeviceRule) => void
  /** The device works again. */
  readonly clearFaults: () => void
  readonly setCapacity: (bytes: number) => void
}

/**
 * The kinds of power cut: what becomes of bytes and names that were not made durable. Each of them is legal.
 *
 * @since 0.1.0
 * @category models
 */
export const outcomes: ReadonlyArray<CrashOutcome> = simulatedOutcomes

/** A call and the path it is about. */
type Call = readonly [operation: SimOperation, path: string]

/**
 * What a call does if a fault strikes it; by default nothing.
 *
 * @internal
 */
export type OnFault = (rule: FaultRule) => { readonly offset?: number; readonly bytesAccepted?: number }

/**
 * The device behind the service: one place where calls are counted, fail and are recorded.
 *
 * @internal
 */
export class SimDevice {
  readonly files: SimulatedFiles
  readonly faults: Faults
  readonly log: Array<OperationRecord> = []
  readonly strikes: Array<Strike> = []
  readonly handles = new Set<OpenHandle>()
  readonly options: SimDiskOptions
  capacityBytes: number
  /** For how long a slow call takes. */
  readonly #delays = new SeededRandom(1)

  constructor(options: SimDiskOptions) {
    this.options = options
    this.files = new SimulatedFiles(options.image)
    this.faults = new Faults(options.faults ?? [])
    this.capacityBytes = options.capacityBytes ?? 2 ** 40
  }

  /** The step of a call. Throws `DiskError`; anything else is a bug of the simulation. */
  serve<A>(call: Call, body: () => A, onFault?: OnFault): A {
    const [operation, path] = call
    const index = this.log.length
    let code: string | undefined
    try {
      this.#befall(index, call)
      const rule = this.faults.strike("code", index, call)
      if (rule !== undefined) {
        this.strikes.push({ index, rule, path })
        throw new DiskError({ operation, file: path, code: rule.code, ...onFault?.(rule) })
      }
      return body()
    } catch (error) {
      const refused = error instanceof PathError ? new DiskError({ operation, file: path, code: error.code }) : error
      code = refused instanceof DiskError ? refused.code : "BUG"
      throw refused
    } finally {
      this.log.push({ index, operation, path, code })
      this.options.onOperation?.(index, operation, path)
    }
  }

  /** A call as an effect: the scheduler may run others before and after its step, and an interruption waits. */
  call<A>(call: Call, body: () => A, onFault?: OnFault): Effect.Effect<A, DiskError> {
    const served = (): Effect.Effect<A, DiskError> => {
      try {
        return Effect.succeed(this.serve(call, body, onFault))
      } catch (error) {
        return error instanceof DiskError ? Effect.fail(error) : Effect.die(error)
      }
    }
    const step = Effect.suspend(() => {
      const rule = this.faults.strike("delayMillis", this.log.length, call)
      if (rule === undefined) return served()
      const [min, max] = rule.delayMillis
      const whole = min + this.#delays.next() * (max - min)
      const before = this.#delays.next() * whole
      return Effect.sleep(before).pipe(
        Effect.andThen(
          Effect.suspend(() => {
            // Others may have been served before it.
            this.strikes.push({ index: this.log.length, rule, path: call[1] })
            return served()
          })
        ),
        Effect.onExit(() => Effect.sleep(whole - before))
      )
    })
    return Effect.yieldNow.pipe(
      Effect.andThen(step),
      Effect.onExit(() => Effect.yieldNow),
      Effect.uninterruptible
    )
  }

  /** The lie that is told of the append that is being served. */
  lieOf(path: string): LieRule | undefined {
    const rule = this.faults.strike("lie", this.log.length, ["append", path])
    if (rule !== undefined) this.strikes.push({ index: this.log.length, rule, path })
    return rule
  }

  /** Lays the bytes over others. */
  stray(bytes: Uint8Array, rule: LieRule): void {
    const random = new SeededRandom(rule.seed)
    const victim = this.#victim(random)
    if (victim === undefined) return
    const { content, visibleSize } = victim.file
    const offset = random.below(visibleSize)
    content.overwrite(offset, bytes.subarray(0, visibleSize - offset))
    this.strikes.push({ index: this.log.length, rule, path: victim.path })
  }

  /** What happens beside the call, before it. */
  #befall(index: number, call: Call): void {
    const jump = this.faults.strike("jumpMillis", index, call)
    if (jump !== undefined) {
      this.options.clock?.jump(jump.jumpMillis)
      this.strikes.push({ index, rule: jump, path: call[1] })
    }
    const rule = this.faults.strike("flip", index, call)
    if (rule === undefined) return
    const random = new SeededRandom(rule.flip)
    const victim = this.#victim(random, rule.within)
    if (victim === undefined) return
    const { content, visibleSize } = victim.file
    const offset = random.below(visibleSize)
    const [byte] = content.view(offset, offset + 1)
    content.overwrite(offset, new Uint8Array([byte! ^ (1 << random.below(8))]))
    this.strikes.push({ index, rule, path: victim.path })
  }

  #victim(random: SeededRandom, within = "") {
    const files = this.files.all().filter(({ file, path }) => file.visibleSize > 0 && path.includes(within))
    return files.length === 0 ? undefined : random.pick(files)
  }

  ignoresSync(operation: "sync" | "syncDirectory", path: string): boolean {
    return this.options.ignoresSync?.(operation, path) ?? false
  }

  /** How many more bytes fit. */
  get freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.files.bytes)
  }
}

const makeDisk = (device: SimDevice): DiskService => {
  const { files } = device
  const held = new Set<string>()
  const openNow = (path: string) => new SimReadFile(device, path, files.file(path))
  return Disk.of({
    makeDirectory: (directory) => device.call(["makeDirectory", directory], () => files.makeDirectory(directory)),
    list: (directory) => device.call(["list", directory], () => files.list(directory)),
    create: (path) => device.call(["create", path], () => new SimAppendFile(device, path, files.create(path))),
    open: (path) => device.call(["open", path], () => openNow(path)),
    openUnsafe:
      device.options.synchronousReads === true
        ? (path) => device.serve(["open", path], () => openNow(path))
        : undefined,
    remove: (path) => device.call(["remove", path], () => files.remove(path)),
    linkNew: (from, to) => device.call(["linkNew", to], () => files.link(from, to)),
    syncDirectory: (directory) =>
      device.call(
        ["syncDirectory", directory],
        () => {
          files.directory(directory)
          if (!device.ignoresSync("syncDirectory", directory)) files.syncDirectory(directory)
        },
        (rule) => {
          files.syncDirectory(directory, rule.syncModel ?? "dropped")
          return {}
        }
      ),
    freeBytes: (directory) =>
      device.call(["freeBytes", directory], () => {
        files.directory(directory)
        return device.freeBytes
      }),
    lock: (directory) =>
      device
        .call(["lock", directory], () => void files.directory(directory))
        .pipe(Effect.andThen(takeLock(held, directory))),
    probeLock: (directory) =>
      device
        .call(["probeLock", directory], () => void files.directory(directory))
        .pipe(Effect.andThen(probeHeld(held, directory))),
    join: joinMemory
  })
}

/**
 * A simulated disk.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: SimDiskOptions = {}): SimDisk => {
  const device = new SimDevice(options)
  const disk = makeDisk(device)
  return {
    layer: Layer.succeed(Disk, disk),
    disk,
    files: device.files,
    log: device.log,
    strikes: device.strikes,
    openHandles: () => [...device.handles],
    powerCut: (outcome, seed) => {
      const kind = typeof outcome === "number" ? outcomes[outcome % outcomes.length]! : outcome
      return device.files.crash(kind, new SeededRandom(seed))
    },
    addFault: (rule) => device.faults.add(rule),
    clearFaults: () => device.faults.clear(),
    setCapacity: (bytes) => {
      device.capacityBytes = bytes
    }
  }
}
