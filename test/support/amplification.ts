// How much is written for what a user writes, and how much space it takes: the picker with tables of bare keys, a
// writer and a few workers of given speeds. Left out: blocks, filters and compression (an entry has a fixed size),
// snapshots, range removals. With an infinite speed every merge is done before the next flush, which costs the most:
// the slower the workers, the more tables of level 0 go down at once.
import type { Choice, Claim, Merge, PickerTable } from "../../src/internal/structure/compactionChoice.ts"
import { type CompactionLimits, compactionLimits } from "../../src/internal/structure/compactionLimits.ts"
import { choose } from "../../src/internal/structure/compactionPicker.ts"
import { runsOf } from "../../src/internal/structure/levels.ts"
import type { SeededRandom } from "../../src/internal/structure/random.ts"
import { pressure } from "../../src/internal/structure/writePressure.ts"
import { keyBytes, keyNumber } from "./mergeModel.ts"

export interface Costs {
  /** Of a key with its value, of an entry in a table, of a commit in the log, of a remove in a table: bytes. */
  readonly userBytes: number
  readonly entryBytes: number
  readonly logBytes: number
  readonly removeBytes: number
  /** What a memtable holds. */
  readonly memtableEntries: number
  /** Of one worker, and of the writer when nothing slows it down. */
  readonly workerBytesPerSecond: number
  readonly writesPerSecond: number
  readonly workers: number
}

export const costs: Costs = {
  userBytes: 144,
  // 128 + 16 bytes, kind, lengths and sequence, and the share of filter, index and restart points.
  entryBytes: 152,
  // A commit of its own: frame 40, commit 24, record.
  logBytes: 214,
  removeBytes: 28,
  // 16 MiB of commits of one record.
  memtableEntries: 96_000,
  workerBytesPerSecond: Infinity,
  writesPerSecond: 250_000,
  workers: 1
}

export type Workload = "random" | "hot" | "ascending" | "remove" | "queue"

/** Keys ascending; twice the key, plus 1 for a remove. */
interface KeyTable {
  readonly meta: PickerTable
  readonly cells: Uint32Array
}

interface Task {
  readonly bytes: number
  readonly done: () => void
}

interface Running {
  readonly claim: Claim
  readonly tables: ReadonlyArray<KeyTable>
}

export class AmplificationRun {
  readonly limits: CompactionLimits
  readonly costs: Costs
  tables: ReadonlyArray<KeyTable> = []
  readonly written = { user: 0, log: 0, flush: 0, merge: 0 }
  readonly taken = new Map<string, { count: number; bytes: number }>()
  level0Max = 0
  spaceMax = 0
  sliceBytesMax = 0
  seconds = 0
  waitedSeconds = 0
  private readonly scratch: Uint8Array
  private readonly live: Uint8Array
  private readonly running = new Set<Running>()
  private readonly queue: Array<Task> = []
  private readonly working: Array<Task & { readonly ends: number }> = []
  private memtable: Array<number> = []
  private frozen = 0
  private sequence = 0
  private nextNumber = 1
  private isIdle = false

  constructor(
    keyCount: number,
    options: { readonly limits?: Partial<CompactionLimits>; readonly costs?: Partial<Costs> }
  ) {
    this.limits = { ...compactionLimits, ...options.limits }
    this.costs = { ...costs, ...options.costs }
    this.scratch = new Uint8Array(keyCount)
    this.live = new Uint8Array(keyCount)
  }

  write(key: number, isRemove: boolean): void {
    this.sequence += 1
    this.live[key] = isRemove ? 0 : 1
    this.written.user += isRemove ? 16 : this.costs.userBytes
    this.written.log += isRemove ? this.costs.logBytes - 128 : this.costs.logBytes
    if (this.memtable.push(2 * key + (isRemove ? 1 : 0)) >= this.costs.memtableEntries) this.freeze()
  }

  /** So many sets or removes, in the given order of keys. */
  play(workload: Workload, count: number, random: SeededRandom): void {
    const keyCount = this.scratch.length
    for (let index = 0; index < count; index++) {
      if (workload === "random") this.write(random.below(keyCount), false)
      // Nine in ten to a tenth of the keys.
      else if (workload === "hot") this.write(random.below(random.chance(0.9) ? keyCount / 10 : keyCount), false)
      else if (workload === "ascending") this.write(index % keyCount, false)
      else if (workload === "remove") this.write(index % keyCount, true)
      // A queue of at most a hundredth of the keys: one is added, one is removed.
      else if (index % 2 === 0) this.write((index / 2) % keyCount, false)
      else if (index > keyCount / 50) this.write(Math.floor(index / 2 - keyCount / 100) % keyCount, true)
    }
  }

  /** Nothing is written any more, for long enough. */
  rest(): void {
    this.freeze()
    this.isIdle = true
    this.schedule()
    while (this.working.length > 0) this.advance()
    this.isIdle = false
  }

  get bytes(): number {
    return this.tables.reduce((sum, { meta }) => sum + meta.bytes, 0)
  }

  /** Of tables with nothing in them that is not read. */
  get liveBytes(): number {
    return this.live.reduce((sum, isLive) => sum + isLive, 0) * this.costs.entryBytes
  }

  get writeAmplification(): number {
    const { flush, log, merge, user } = this.written
    return (log + flush + merge) / user
  }

  get levelBytes(): ReadonlyArray<number> {
    const bytes = Array.from({ length: this.limits.levelCount }, () => 0)
    for (const { meta } of this.tables) bytes[meta.level]! += meta.bytes
    return bytes
  }

  /** The writer goes on when one of three memtables is free and level 0 is not too far behind. */
  private freeze(): void {
    if (this.memtable.length === 0) return
    const cells = this.sortedCells(this.memtable)
    const { memtableEntries, writesPerSecond } = this.costs
    const first = this.sequence - this.memtable.length + 1
    const { sequence } = this
    this.memtable = []
    this.pass(memtableEntries / writesPerSecond)
    while (this.working.length > 0 && (this.frozen === 2 || this.pressure().state === "stop")) {
      const before = this.seconds
      this.advance()
      this.waitedSeconds += this.seconds - before
    }
    const { state, severity } = this.pressure()
    if (state === "slow") {
      const delay = (severity * memtableEntries * 4) / writesPerSecond
      this.waitedSeconds += delay
      this.pass(delay)
    }
    this.frozen += 1
    const bytes = this.bytesOf(cells)
    this.queue.unshift({
      bytes,
      done: () => {
        this.frozen -= 1
        this.written.flush += bytes
        this.tables = [this.table(cells, { level: 0, sequenceMin: first, sequenceMax: sequence }), ...this.tables]
        this.level0Max = Math.max(this.level0Max, this.tables.filter(({ meta }) => meta.level === 0).length)
      }
    })
    this.schedule()
  }

  private pressure() {
    return pressure(this.input(), this.limits)
  }

  private input() {
    const running = [...this.running]
    return {
      runs: runsOf(this.tables),
      busy: new Set(running.flatMap(({ tables }) => tables.map(({ meta }) => meta.number))),
      running: running.map(({ claim }) => claim),
      snapshots: [this.sequence],
      idle: this.isIdle,
      rangeRemovals: []
    }
  }

  /** Time goes on, and workers with it. */
  private pass(seconds: number): void {
    const until = this.seconds + seconds
    while (this.working.length > 0 && Math.min(...this.working.map(({ ends }) => ends)) <= until) this.advance()
    this.seconds = until
  }

  /** To the end of the next task. */
  private advance(): void {
    const next = this.working.reduce((a, b) => (b.ends < a.ends ? b : a))
    this.working.splice(this.working.indexOf(next), 1)
    this.seconds = Math.max(this.seconds, next.ends)
    next.done()
    this.spaceMax = Math.max(this.spaceMax, this.bytes)
    this.schedule()
  }

  /** Gives every free worker a task; asks the picker when none is left. */
  private schedule(): void {
    while (this.working.length < this.costs.workers) {
      const task = this.queue.shift()
      if (task !== undefined) {
        this.working.push({ ...task, ends: this.seconds + task.bytes / this.costs.workerBytesPerSecond })
        continue
      }
      const choice = choose(this.input(), this.limits)
      if (choice._tag === "Nothing") return
      this.act(choice)
    }
  }

  private act(choice: Exclude<Choice<KeyTable>, { readonly _tag: "Nothing" }>): void {
    if (choice._tag === "Drop") throw new Error("there are no range removals")
    if (choice._tag === "Move") {
      const { meta } = choice.table
      const moved = { ...choice.table, meta: { ...meta, level: choice.level } }
      this.tables = [...this.tables.filter((table) => table !== choice.table), moved]
      this.count(`Move ${choice.reason}`, meta.bytes)
      return
    }
    const tables = choice.inputs.flatMap((run) => run.tables)
    const running = { claim: choice.claim, tables }
    this.running.add(running)
    const outputs = choice.slices.map((slice) => this.mergedSlice(choice, slice))
    let left = outputs.length
    for (const slice of outputs) {
      const bytes = slice.reduce((sum, { meta }) => sum + meta.bytes, 0)
      this.sliceBytesMax = Math.max(this.sliceBytesMax, bytes)
      this.written.merge += bytes
      this.count(`Merge ${choice.reason} to ${choice.level}`, bytes)
      const done = (): void => {
        left -= 1
        if (left > 0) return
        this.running.delete(running)
        const inputs = new Set(tables)
        this.tables = [...this.tables.filter((table) => !inputs.has(table)), ...outputs.flat()]
      }
      this.queue.push({ bytes, done })
    }
  }

  private count(name: string, bytes: number): void {
    const taken = this.taken.get(name) ?? { count: 0, bytes: 0 }
    this.taken.set(name, { count: taken.count + 1, bytes: taken.bytes + bytes })
  }

  private mergedSlice(choice: Merge<KeyTable>, slice: Merge<KeyTable>["slices"][number]): ReadonlyArray<KeyTable> {
    const { scratch } = this
    const from = slice.from === undefined ? 0 : keyNumber(slice.from)
    const to = slice.to === undefined ? scratch.length : keyNumber(slice.to)
    const tables = choice.inputs.flatMap((run) => run.tables)
    for (const { cells } of tables.toReversed()) {
      for (let index = lowerBound(cells, 2 * from); index < cells.length && cells[index]! < 2 * to; index++) {
        scratch[cells[index]! >>> 1] = 1 + (cells[index]! & 1)
      }
    }
    const sequenceMin = Math.min(...tables.map(({ meta }) => meta.sequenceMin))
    const sequenceMax = Math.max(...tables.map(({ meta }) => meta.sequenceMax))
    return this.cut(choice, { from, to }).map((cells) =>
      this.table(cells, { level: choice.level, sequenceMin, sequenceMax })
    )
  }

  /** What the scratch holds, in tables; like structure/tableCuts.ts. Clears it. */
  private cut(choice: Merge<KeyTable>, { from, to }: { readonly from: number; readonly to: number }) {
    const { scratch } = this
    const { entryBytes, removeBytes } = this.costs
    const overlapBytesMax = this.limits.grandparentTables * choice.tableBytesMax
    const outputs: Array<Uint32Array> = []
    let cells: Array<number> = []
    let bytes = 0
    let overlapped = 0
    let grandparent = 0
    let deeper = 0
    for (let key = from; key < to; key++) {
      const state = scratch[key]!
      if (state === 0) continue
      scratch[key] = 0
      if (state === 2) {
        while (deeper < choice.deeper.length && keyNumber(choice.deeper[deeper]!.meta.largest) < key) deeper += 1
        const other = choice.deeper[deeper]
        if (other === undefined || keyNumber(other.meta.smallest) > key) continue
      }
      for (; grandparent < choice.grandparents.length; grandparent++) {
        const { meta } = choice.grandparents[grandparent]!
        if (keyNumber(meta.largest) >= key) break
        if (cells.length > 0) overlapped += meta.bytes
      }
      if (bytes >= choice.tableBytesMax || overlapped > overlapBytesMax) {
        if (cells.length > 0) outputs.push(Uint32Array.from(cells))
        cells = []
        bytes = 0
        overlapped = 0
      }
      cells.push(2 * key + (state - 1))
      bytes += state === 2 ? removeBytes : entryBytes
    }
    if (cells.length > 0) outputs.push(Uint32Array.from(cells))
    return outputs
  }

  private sortedCells(cells: ReadonlyArray<number>): Uint32Array {
    const newest = new Map<number, number>()
    for (const cell of cells) newest.set(cell >>> 1, cell)
    return Uint32Array.from(newest.values()).sort()
  }

  private bytesOf(cells: Uint32Array): number {
    const { entryBytes, removeBytes } = this.costs
    let removes = 0
    for (const cell of cells) removes += cell & 1
    return (cells.length - removes) * entryBytes + removes * removeBytes
  }

  private table(cells: Uint32Array, meta: Pick<PickerTable, "level" | "sequenceMin" | "sequenceMax">): KeyTable {
    let removeCount = 0
    for (const cell of cells) removeCount += cell & 1
    const facts = {
      number: this.nextNumber++,
      bytes: this.bytesOf(cells),
      smallest: keyBytes(cells[0]! >>> 1),
      largest: keyBytes(cells.at(-1)! >>> 1),
      entryCount: cells.length,
      removeCount,
      rangeRemovalCount: 0,
      hiddenCount: 0,
      codec: 0,
      keyGeneration: 0,
      valueRefs: []
    }
    return { cells, meta: { ...meta, ...facts } }
  }
}

const lowerBound = (cells: Uint32Array, cell: number): number => {
  let first = 0
  let last = cells.length
  while (first < last) {
    const middle = (first + last) >>> 1
    if (cells[middle]! < cell) first = middle + 1
    else last = middle
  }
  return first
}
