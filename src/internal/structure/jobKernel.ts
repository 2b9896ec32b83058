// A flush or a compaction as a machine that asks for what it needs: merges its sources, keeps what somebody can still
// see, and writes that as new tables.
//
//   open the inputs → (merge → [cut] → …) → the last table → done
//
// `next` says what is wanted and `feed` gives the answer, in turn; see jobRequest.ts. Whatever it throws ends the job:
// `FileDamage` for damage in a table, anything else is a bug. Files that it had created and not returned are the
// driver's to remove.
import type { TableMeta } from "../format/tableMeta.ts"
import { MemtableVersions } from "./frozenMemtable.ts"
import { JobInputs } from "./jobInputs.ts"
import { FileSupply } from "./fileSupply.ts"
import type { JobAnswer, JobRequest, Kernel } from "./jobRequest.ts"
import type { JobSetup, JobWork } from "./jobWork.ts"
import { KeySpans } from "./keySpans.ts"
import { RemovalStripes, successor } from "./removalStripes.ts"
import { Retention } from "./retention.ts"
import { RunVersions } from "./runVersions.ts"
import { TableCuts } from "./tableCuts.ts"
import { TableOutput } from "./tableOutput.ts"
import { VersionMerge } from "./versionMerge.ts"
import { ValueSeparation } from "./valueSeparation.ts"
import { Step, type VersionSource } from "./versionSource.ts"

/** Of one slice, about a millisecond: a version takes a microsecond and a byte of it two nanoseconds. */
const sliceVersionsMax = 512
const sliceBytesMax = 64 * 1024

/** Whoever asked. */
interface Asking {
  readonly feed: (answer: JobAnswer) => void
}

/** What is there when the inputs are open. */
interface Merging {
  readonly merge: VersionMerge
  readonly removals: RemovalStripes
  readonly retention: Retention
  readonly cuts: TableCuts
}

export class JobKernel implements Kernel {
  private readonly work: JobWork
  private readonly setup: JobSetup
  private readonly inputs: JobInputs
  private readonly files: FileSupply
  private readonly tables: Array<TableMeta> = []
  private merging: Merging | undefined
  private asking: Asking | undefined
  private output: TableOutput | undefined
  /** Of a flush. */
  private readonly separation: ValueSeparation | undefined
  /** Where the keys of the next table begin. */
  private start: Uint8Array | undefined
  /** The merge stands on a version that is to be added, and it is known that the table goes on up to it. */
  private pending = false
  private placed = false
  /** The table is to end behind this key; of the last one, `undefined`. */
  private cut: { readonly last: Uint8Array | undefined } | undefined
  /** Of the slice so far. */
  private versions = 0
  private bytes = 0
  private phase: "merge" | "reach" | "end" | "values" | "done" = "merge"

  constructor(work: JobWork, setup: JobSetup) {
    this.work = work
    this.setup = setup
    this.files = new FileSupply(setup.files)
    const { files: supply } = this
    const { values } = work
    this.separation = values === undefined ? undefined : new ValueSeparation({ setup, supply, values })
    this.inputs = new JobInputs({ runs: work.runs, span: work, databaseId: setup.databaseId })
  }

  next(): JobRequest {
    for (;;) {
      const request = this.step()
      if (request !== undefined) return request
    }
  }

  feed(answer: JobAnswer): void {
    const { asking } = this
    this.asking = undefined
    asking?.feed(answer)
  }

  private ask(asking: Asking, request: JobRequest): JobRequest {
    this.asking = asking
    return request
  }

  /** A request, or a step without one. */
  private step(): JobRequest | undefined {
    if (this.merging === undefined) return this.openInputs()
    const { output } = this
    if (output !== undefined) {
      const request = output.next()
      if (request !== undefined) return this.ask(output, request)
      if (output.meta !== undefined) {
        this.tables.push(output.meta)
        this.output = undefined
      }
    }
    if (this.cut !== undefined) return this.endTable(this.cut.last)
    switch (this.phase) {
      case "merge":
        return this.merge(this.merging)
      case "reach":
        return this.cutReach(this.merging)
      case "end":
        this.cut = { last: undefined }
        this.phase = "values"
        return undefined
      case "values":
        return this.endValues()
      default:
        return { _tag: "Done", tables: this.tables, valueFiles: this.separation?.files ?? [] }
    }
  }

  private openInputs(): JobRequest | undefined {
    const request = this.inputs.next()
    if (request !== undefined) return this.ask(this.inputs, request)
    const { work } = this
    const deeper = new KeySpans(work.deeper)
    const found = [...work.memtables.flatMap((memtable) => memtable.rangeRemovals), ...this.inputs.removals]
    const removals = new RemovalStripes({ removals: found, span: work, snapshots: work.snapshots, deeper })
    const sources: ReadonlyArray<VersionSource> = [
      ...work.memtables.map((memtable) => new MemtableVersions(memtable, work)),
      ...this.inputs.runs.map((tables, lane) => new RunVersions({ tables, span: work, lane }))
    ]
    this.merging = {
      merge: new VersionMerge(sources),
      removals,
      retention: new Retention({ ...work, removals, deeper }),
      cuts: new TableCuts(work)
    }
    return undefined
  }

  private merge({ cuts, merge, retention }: Merging): JobRequest | undefined {
    while (this.versions < sliceVersionsMax && this.bytes < sliceBytesMax) {
      if (!this.pending) {
        const step = merge.advance()
        if (step === Step.bytes) {
          return this.ask({ feed: (answer) => merge.needy.feed(answer as Uint8Array) }, merge.needy.request())
        }
        if (step === Step.end) {
          this.phase = "reach"
          return undefined
        }
        this.versions += 1
        if (!retention.keeps(merge.entry)) continue
        this.pending = true
        this.placed = !retention.isFirstOfKey
      }
      if (!this.placed) {
        if (this.cutBefore(cuts.before(merge.entry, this.output, this.holds))) return undefined
        this.placed = true
      }
      if (this.output === undefined) return this.beginTable()
      const { entry } = merge
      const moves = this.separation?.isFor(entry) === true
      if (moves) {
        const moving = this.separation.move(entry)
        if (moving !== undefined) return this.ask(this.separation, moving)
      }
      this.output.add(moves ? this.separation.entry : entry, retention.isHidden)
      this.bytes += entry.keyEnd - entry.keyStart + entry.valueEnd - entry.valueStart
      this.pending = false
      const request = this.output.next()
      if (request !== undefined) return this.ask(this.output, request)
    }
    this.versions = 0
    this.bytes = 0
    return { _tag: "Pause" }
  }

  /** After the last version: range removals may reach on. */
  private cutReach({ cuts, removals }: Merging): undefined {
    const { reach } = removals
    const isCut = reach !== undefined && this.cutBefore(cuts.beforeReach(reach, this.output, this.holds))
    if (!isCut) this.phase = "end"
  }

  private cutBefore(last: Uint8Array | undefined): boolean {
    if (last === undefined) return false
    this.cut = { last }
    return true
  }

  /** Whether a table that begins at `start` would hold removals if it ended behind the key. */
  private readonly holds = (last: Uint8Array): boolean =>
    this.merging!.removals.touch({ from: this.start, to: successor(last) })

  private endTable(last: Uint8Array | undefined): JobRequest | undefined {
    const to = last === undefined ? undefined : successor(last)
    const removals = this.merging!.removals.within({ from: this.start, to })
    if (this.output === undefined && removals.length > 0) {
      const request = this.beginTable()
      if (request !== undefined) return request
    }
    this.output?.end(removals)
    this.cut = undefined
    this.start = to
    return undefined
  }

  private endValues(): JobRequest | undefined {
    const request = this.separation?.finish()
    if (request !== undefined) return this.ask(this.separation!, request)
    this.phase = "done"
    return undefined
  }

  private beginTable(): JobRequest | undefined {
    const file = this.files.take()
    if (file === undefined) return this.ask(this.files, this.files.request)
    this.output = new TableOutput({ setup: this.setup, file, level: this.work.level })
    return undefined
  }
}
