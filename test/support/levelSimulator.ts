// A database without files: what is written, flushed and merged is tables of plain values (mergeModel.ts); the picker
// decides, this does what it says. Merges take effect when they are finished, in any order, with the snapshots of when
// they began. After each change the tables can be checked, and read like the real ones: run by run, the first that
// knows the key answers.
import { assert } from "@effect/vitest"
import type {
  Choice,
  ManualCompaction,
  Merge,
  PickerInput,
  PickerRange
} from "../../src/internal/structure/compactionChoice.ts"
import type { CompactionLimits } from "../../src/internal/structure/compactionLimits.ts"
import { choose } from "../../src/internal/structure/compactionPicker.ts"
import { type Run, runsOf } from "../../src/internal/structure/levels.ts"
import {
  keyBytes,
  keyNumber,
  merged,
  type ModelContent,
  type ModelEntry,
  type ModelRemoval,
  type ModelTable,
  tableOf
} from "./mergeModel.ts"

interface RunningMerge {
  readonly choice: Merge<ModelTable>
  readonly outputs: ReadonlyArray<ModelContent>
  readonly keyGeneration: number
}

export class LevelSimulator {
  limits: CompactionLimits
  tables: ReadonlyArray<ModelTable> = []
  readonly running: Array<RunningMerge> = []
  readonly openSnapshots: Array<number> = []
  readonly taken = new Map<string, number>()
  sequence = 0
  bytesWritten = 0
  readonly entries: Array<ModelEntry> = []
  readonly removals: Array<ModelRemoval> = []
  private readonly unflushed: { entries: Array<ModelEntry>; removals: Array<ModelRemoval> } = {
    entries: [],
    removals: []
  }
  private nextNumber = 1

  constructor(limits: CompactionLimits) {
    this.limits = limits
  }

  write(key: number, isRemove: boolean): void {
    const entry = { key, sequence: ++this.sequence, isRemove }
    this.entries.push(entry)
    this.unflushed.entries.push(entry)
  }

  removeRange(from: number, to: number): void {
    const removal = { from, to, sequence: ++this.sequence }
    this.removals.push(removal)
    this.unflushed.removals.push(removal)
  }

  get snapshots(): ReadonlyArray<number> {
    return [...new Set([...this.openSnapshots, this.sequence])].sort((a, b) => a - b)
  }

  flush(): void {
    const { entries, removals } = this.unflushed
    const [content] = merged({
      sources: [{ entries: [...entries], removals: [...removals] }],
      from: -Infinity,
      to: Infinity,
      snapshots: this.snapshots,
      deeper: this.tables,
      grandparents: [],
      tableBytesMax: Infinity
    })
    entries.length = 0
    removals.length = 0
    const { keyGeneration } = this.limits
    if (content !== undefined) this.tables = [...this.tables, this.table(content, 0, keyGeneration)]
  }

  get keyGeneration(): number {
    return this.limits.keyGeneration
  }

  /** From now on new tables, but for those of running merges, are sealed with a new data key. */
  rotateKey(): void {
    this.limits = { ...this.limits, keyGeneration: this.limits.keyGeneration + 1 }
  }

  input(options: {
    readonly idle: boolean
    readonly manual?: ManualCompaction
    readonly crowded?: ReadonlyArray<PickerRange>
  }): PickerInput<ModelTable> {
    return {
      ...options,
      runs: runsOf(this.tables),
      busy: new Set(
        this.running.flatMap(({ choice }) =>
          choice.inputs.flatMap(({ tables }) => tables.map(({ meta }) => meta.number))
        )
      ),
      running: this.running.map(({ choice }) => choice.claim),
      snapshots: this.snapshots,
      rangeRemovals: this.tables.flatMap(({ removals }) =>
        removals.map(({ from, sequence, to }) => ({ from: keyBytes(from), to: keyBytes(to), sequence }))
      )
    }
  }

  /** Asks the picker, does what needs no job, begins what does. */
  step(options: Parameters<LevelSimulator["input"]>[0]): Choice<ModelTable> {
    const choice = choose(this.input(options), this.limits)
    const name = choice._tag === "Nothing" || choice._tag === "Drop" ? choice._tag : `${choice._tag} ${choice.reason}`
    this.taken.set(name, (this.taken.get(name) ?? 0) + 1)
    if (choice._tag === "Move") {
      const { entries, meta, removals } = choice.table
      assert.isAbove(choice.level, meta.level)
      this.replace([choice.table], [{ entries, removals, meta: { ...meta, level: choice.level } }])
    }
    if (choice._tag === "Drop") this.replace(choice.tables, [])
    if (choice._tag === "Merge") this.begin(choice)
    return choice
  }

  /** Ends one of the running merges. */
  finish(index: number): void {
    const [{ choice, keyGeneration, outputs }] = this.running.splice(index, 1) as [RunningMerge]
    const tables = outputs.map((content) => this.table(content, choice.level, keyGeneration))
    this.bytesWritten += tables.reduce((sum, { meta }) => sum + meta.bytes, 0)
    this.replace(
      choice.inputs.flatMap((run) => run.tables),
      tables
    )
  }

  get bytes(): number {
    return this.tables.reduce((sum, { meta }) => sum + meta.bytes, 0)
  }

  /** What a reader finds by the tables and what is not flushed: whether a key has a value at a sequence. */
  reader(): (key: number, sequence: number) => boolean {
    const runs = [new KeyedContent([this.unflushed])]
    for (const { tables } of runsOf(this.tables)) runs.push(new KeyedContent(tables))
    return (key, sequence) => {
      for (const run of runs) {
        const found = run.newest(key, sequence)
        if (found !== undefined) return found
      }
      return false
    }
  }

  /** Likewise by everything that was ever written. */
  model(): (key: number, sequence: number) => boolean {
    const all = new KeyedContent([this])
    return (key, sequence) => all.newest(key, sequence) ?? false
  }

  /** Every run's keys are in order, and older than those of the runs before it. */
  checkRuns(keyCount: number): void {
    const runs = runsOf(this.tables)
    for (const { level, tables } of runs) {
      if (level > 0) checkRun(tables)
    }
    const contents = runs.map(({ tables }) => new KeyedContent(tables))
    for (let key = 0; key < keyCount; key++) {
      let newestAllowed = Infinity
      for (const [index, content] of contents.entries()) {
        const sequences = content.sequences(key)
        if (sequences.length === 0) continue
        assert.isBelow(Math.max(...sequences), newestAllowed, `key ${key} in level ${runs[index]!.level}`)
        newestAllowed = Math.min(...sequences)
      }
    }
  }

  private begin(choice: Merge<ModelTable>): void {
    checkMerge(choice, this.tables)
    const { deeper, grandparents, inputs, slices, tableBytesMax } = choice
    const sources = inputs.flatMap(({ tables }) => tables)
    const outputs = slices.flatMap(({ from, to }) =>
      merged({
        sources,
        deeper,
        grandparents,
        tableBytesMax,
        snapshots: this.snapshots,
        from: from === undefined ? -Infinity : keyNumber(from),
        to: to === undefined ? Infinity : keyNumber(to)
      })
    )
    this.running.push({ choice, outputs, keyGeneration: this.limits.keyGeneration })
  }

  private table(content: ModelContent, level: number, keyGeneration: number): ModelTable {
    return tableOf(content, { number: this.nextNumber++, level, keyGeneration })
  }

  private replace(removed: ReadonlyArray<ModelTable>, added: ReadonlyArray<ModelTable>): void {
    for (const table of removed) assert.include(this.tables, table)
    this.tables = [...this.tables.filter((table) => !removed.includes(table)), ...added]
  }
}

class KeyedContent {
  private readonly entries = new Map<number, Array<ModelEntry>>()
  private readonly removals: ReadonlyArray<ModelRemoval>

  constructor(contents: ReadonlyArray<ModelContent>) {
    this.removals = contents.flatMap(({ removals }) => removals)
    for (const entry of contents.flatMap(({ entries }) => entries)) {
      const entries = this.entries.get(entry.key)
      if (entries === undefined) this.entries.set(entry.key, [entry])
      else entries.push(entry)
    }
  }

  /** Whether the key has a value at the sequence; `undefined` if nothing here says so. */
  newest(key: number, sequence: number): boolean | undefined {
    let at = 0
    let has: boolean | undefined
    for (const entry of this.entries.get(key) ?? []) {
      if (entry.sequence > sequence || entry.sequence <= at) continue
      at = entry.sequence
      has = !entry.isRemove
    }
    for (const removal of this.removals) {
      if (removal.from > key || removal.to <= key || removal.sequence > sequence || removal.sequence <= at) continue
      at = removal.sequence
      has = false
    }
    return has
  }

  sequences(key: number): ReadonlyArray<number> {
    const removals = this.removals.filter(({ from, to }) => from <= key && key < to)
    return [...(this.entries.get(key) ?? []), ...removals].map(({ sequence }) => sequence)
  }
}

/** Tables of one level: ascending; one may end with a removal where the next begins. */
const checkRun = (tables: ReadonlyArray<ModelTable>): void => {
  for (const [index, { entries, meta }] of tables.entries()) {
    const next = tables[index + 1]
    if (next === undefined) continue
    const largest = keyNumber(meta.largest)
    const smallest = keyNumber(next.meta.smallest)
    const isEntry = entries.some(({ key }) => key === largest)
    assert.isTrue(largest < smallest || (largest === smallest && !isEntry), `${largest} stands before ${smallest}`)
  }
}

const isWithin = (table: ModelTable, tables: ReadonlyArray<ModelTable>): boolean =>
  tables.some(
    ({ meta }) =>
      keyNumber(meta.smallest) <= keyNumber(table.meta.largest) &&
      keyNumber(table.meta.smallest) <= keyNumber(meta.largest)
  )

/** What a job relies on. */
const checkMerge = (choice: Merge<ModelTable>, tables: ReadonlyArray<ModelTable>): void => {
  const { deeper, inputs, level, slices } = choice
  const all = inputs.flatMap((run: Run<ModelTable>) => run.tables)
  const order = runsOf(all).flatMap((run) => run.tables)
  assert.deepStrictEqual(
    all.map(({ meta }) => meta.number),
    order.map(({ meta }) => meta.number)
  )
  for (const table of tables) {
    if (all.includes(table) || !isWithin(table, all)) continue
    const isOlder =
      level === 0
        ? table.meta.level > 0 || table.meta.sequenceMax < all.at(-1)!.meta.sequenceMin
        : table.meta.level > level
    if (isOlder) assert.include(deeper, table, "what is deeper is named")
    if (level > 0 && table.meta.level === level)
      checkRun(
        [...all.filter(({ meta }) => meta.level === level), table].sort(
          (a, b) => keyNumber(a.meta.smallest) - keyNumber(b.meta.smallest)
        )
      )
  }
  assert.isUndefined(slices[0]!.from)
  assert.isUndefined(slices.at(-1)!.to)
  for (const [index, { to }] of slices.entries()) assert.strictEqual(slices[index + 1]?.from, to)
}
