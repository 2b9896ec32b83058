// How much is written for a value that a user writes, and how much space it takes: the picker of value files with a
// model of all else. Every memtable becomes one table and one value file. So many tables of level 0 are merged with the
// rest at once, and only then are the values known to be garbage that they overwrote; at rest all of them are. Left
// out: time. A collection is done before the next flush, which costs the most: later, more would be garbage.
import {
  chooseCollection,
  collectionBudget,
  type CollectionChoice,
  type CollectionLimits,
  collectionLimits
} from "../../src/internal/structure/collectionPicker.ts"
import type { SeededRandom } from "../../src/internal/structure/random.ts"
import { ValueReferences } from "../../src/internal/structure/valueReferences.ts"

export interface ValueCosts {
  readonly valueBytes: number
  /** Of a value in its file besides its bytes: key, sequence, lengths, tag, place. */
  readonly overheadBytes: number
  readonly memtableBytes: number
  readonly fileBytesMax: number
  /** So many tables of level 0 are merged down. */
  readonly level0: number
}

export const valueCosts: ValueCosts = {
  valueBytes: 10_240,
  overheadBytes: 64,
  memtableBytes: 16 * 2 ** 20,
  fileBytesMax: 64 * 2 ** 20,
  level0: 4
}

interface ModelTable {
  /** Which section has the value of a key; `undefined` is a remove. */
  readonly cells: ReadonlyMap<number, number | undefined>
  readonly meta: {
    readonly valueRefs: ReadonlyArray<{ readonly file: number; readonly count: number; readonly bytes: number }>
  }
}

interface ModelFile {
  readonly number: number
  readonly bytes: number
  readonly sections: ReadonlyArray<{ readonly id: number; readonly count: number; readonly bytes: number }>
}

export class CollectionRun {
  readonly costs: ValueCosts
  readonly limits: CollectionLimits
  files: ReadonlyArray<ModelFile> = []
  readonly written = { user: 0, log: 0, flush: 0, collected: 0, collectedUnderLoad: 0 }
  readonly reclaimed = { files: 0, bytes: 0 }
  spaceMax = 0
  collections = 0
  private readonly references = new ValueReferences()
  private level0: ReadonlyArray<ModelTable> = []
  private bottom: ModelTable = tableOf(new Map(), 0)
  private readonly keys = new Map<number, true>()
  private memtable = new Map<number, true | undefined>()
  private memtableBytes = 0
  private nextNumber = 1

  constructor(costs: Partial<ValueCosts> = {}) {
    this.costs = { ...valueCosts, ...costs }
    this.limits = collectionLimits(this.costs.fileBytesMax)
  }

  write(key: number, isRemove = false): void {
    const bytes = isRemove ? 16 : this.costs.valueBytes
    this.written.user += bytes
    this.written.log += bytes
    this.memtableBytes += bytes
    this.memtable.set(key, isRemove ? undefined : true)
    if (isRemove) this.keys.delete(key)
    else this.keys.set(key, true)
    if (this.memtableBytes >= this.costs.memtableBytes) this.flush()
  }

  /** To random keys. */
  overwrite(keyCount: number, count: number, random: SeededRandom): void {
    for (let index = 0; index < count; index++) this.write(random.below(keyCount))
  }

  /** Nothing is written any more. Ends when nothing is left to do; that it does not is found after so many steps. */
  rest(stepsMax = 10_000): void {
    this.flush()
    this.mergeDown()
    for (let step = 0; this.collect(true)._tag !== "Nothing"; step++) {
      if (step === stepsMax) throw new Error("collection does not end")
    }
  }

  get liveBytes(): number {
    return this.keys.size * (this.costs.valueBytes + this.costs.overheadBytes)
  }

  get bytes(): number {
    return this.files.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  get writeAmplification(): number {
    const { collected, flush, log, user } = this.written
    return (log + flush + collected) / user
  }

  flush(): void {
    if (this.memtable.size === 0) return
    const id = this.nextNumber++
    const cells = new Map([...this.memtable].map(([key, value]) => [key, value && id] as const))
    const count = [...cells.values()].filter((value) => value !== undefined).length
    if (count > 0) {
      const made = this.file(id, [this.section(id, count)])
      this.files = [...this.files, made]
      this.written.flush += made.bytes
    }
    this.level0 = [tableOf(cells, this.costs.valueBytes), ...this.level0]
    this.memtable = new Map()
    this.memtableBytes = 0
    if (this.level0.length >= this.costs.level0) this.mergeDown()
    while (this.collect(false)._tag !== "Nothing") continue
  }

  private mergeDown(): void {
    const cells = new Map(this.bottom.cells)
    for (const table of [...this.level0].reverse()) {
      for (const [key, value] of table.cells) {
        if (value === undefined) cells.delete(key)
        else cells.set(key, value)
      }
    }
    this.level0 = []
    this.bottom = tableOf(cells, this.costs.valueBytes)
  }

  private get tables(): ReadonlyArray<ModelTable> {
    return [...this.level0, this.bottom]
  }

  private collect(idle: boolean): CollectionChoice<ModelFile> {
    const { collectedUnderLoad: collected, flush: made } = this.written
    this.references.learn(this.tables)
    const files = this.files.map((file) => this.references.of(file))
    const budgetBytes = collectionBudget({ made, collected }, this.limits)
    const choice = chooseCollection({ files, left: new Set(), idle, budgetBytes }, this.limits)
    if (choice._tag === "Nothing") return choice
    const gone = new Set(choice.files)
    const before = this.bytes
    this.spaceMax = Math.max(this.spaceMax, before)
    this.files = this.files.filter((file) => !gone.has(file))
    if (choice._tag === "Collect") this.rewrite(choice.files, idle)
    this.reclaimed.files += gone.size
    this.reclaimed.bytes += before - this.bytes
    return choice
  }

  private rewrite(files: ReadonlyArray<ModelFile>, idle: boolean): void {
    const live = new Map<number, number>()
    for (const { meta } of this.tables) {
      for (const { count, file } of meta.valueRefs) live.set(file, (live.get(file) ?? 0) + count)
    }
    const sections = files
      .flatMap((file) => file.sections.flatMap(({ id }) => (live.has(id) ? [this.section(id, live.get(id)!)] : [])))
      .sort((a, b) => a.id - b.id)
    const made = this.file(this.nextNumber++, sections)
    this.files = [...this.files, made]
    this.collections += 1
    this.written.collected += made.bytes
    if (!idle) this.written.collectedUnderLoad += made.bytes
  }

  private section(id: number, count: number) {
    return { id, count, bytes: count * this.costs.valueBytes }
  }

  private file(number: number, sections: ModelFile["sections"]): ModelFile {
    const { overheadBytes, valueBytes } = this.costs
    const count = sections.reduce((sum, section) => sum + section.count, 0)
    return { number, sections, bytes: count * (valueBytes + overheadBytes) }
  }
}

const tableOf = (cells: ReadonlyMap<number, number | undefined>, valueBytes: number): ModelTable => {
  const counts = new Map<number, number>()
  for (const id of cells.values()) if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1)
  const valueRefs = [...counts].map(([file, count]) => ({ file, count, bytes: count * valueBytes }))
  return { cells, meta: { valueRefs } }
}
