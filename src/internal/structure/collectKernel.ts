// Collecting value files as a machine that asks for what it needs: the live values of some files are copied to new
// ones, and the others are left behind.
//
//   what each table names → open the value files → (a section's live places → its live values)* → the last file → done
//
// What is live is asked of the tables alone, and nothing is written to the tree: a value of a key that was removed may
// be kept too long, by a table that the next compaction replaces, and none that can be read is ever left out. What
// later tables name is a part of what these do: handles are only made together with their value file.
//
// Sections come by id, keep it, and are never divided; small ones share a new file. A file's indexes stay too, so the
// tables need not know.
import type { TableMeta } from "../format/tableMeta.ts"
import type { ValueFileMeta } from "../format/valueFileMeta.ts"
import { FileOpenings } from "./fileOpenings.ts"
import { FileSupply } from "./fileSupply.ts"
import type { JobAnswer, JobRequest, Kernel } from "./jobRequest.ts"
import type { CollectWork, JobSetup } from "./jobWork.ts"
import { LivePlaces } from "./livePlaces.ts"
import { LiveValues } from "./liveValues.ts"
import { TableOpening } from "./tableOpening.ts"
import { ValueCopy } from "./valueCopy.ts"
import { ValueFileOpening, type ValueFileParts } from "./valueFileOpening.ts"
import { ValueOutput } from "./valueOutput.ts"

/** What is read of a table. */
const refsAlone = { withIndex: false, withPartitions: false, withFilter: false, withValueRefs: true } as const

interface Asking {
  readonly feed: (answer: JobAnswer) => void
}

interface LiveSection {
  readonly id: number
  readonly parts: ValueFileParts
}

export class CollectKernel implements Kernel {
  private readonly work: CollectWork
  private readonly setup: JobSetup
  private readonly supply: FileSupply
  private readonly live: LiveValues
  private readonly tables: FileOpenings<TableOpening>
  private readonly files: FileOpenings<ValueFileOpening>
  private readonly made: Array<ValueFileMeta> = []
  /** Those that are still to be copied, the next one last. */
  private readonly sections: Array<LiveSection> = []
  private isOpen = false
  private places: LivePlaces | undefined
  private copy: ValueCopy | undefined
  private output: ValueOutput | undefined
  private asking: Asking | undefined

  constructor(work: CollectWork, setup: JobSetup) {
    this.work = work
    this.setup = setup
    this.supply = new FileSupply(setup.files)
    this.live = new LiveValues(work.files.flatMap(({ sections }) => sections.map(({ id }) => id)))
    this.tables = new FileOpenings(work.tables.map((meta) => this.tableToOpen(meta)))
    this.files = new FileOpenings(work.files.map((meta) => this.fileToOpen(meta)))
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
    if (!this.isOpen) return this.open()
    const { output } = this
    if (output !== undefined) {
      const request = output.next()
      if (request !== undefined) return this.ask(output, request)
      if (output.meta !== undefined) {
        this.made.push(output.meta)
        this.output = undefined
      }
    }
    if (this.copy !== undefined) return this.copySome(this.copy)
    if (this.places !== undefined) return this.begin(this.places)
    const section = this.sections.at(-1)
    if (section === undefined) return this.end()
    const { id, parts } = section
    this.places = new LivePlaces({ parts, id, live: this.live.of(id) })
    return undefined
  }

  private open(): JobRequest | undefined {
    for (const openings of [this.tables, this.files]) {
      const request = openings.next()
      if (request !== undefined) return this.ask(openings, request)
    }
    this.sections.sort((a, b) => b.id - a.id)
    this.isOpen = true
    return undefined
  }

  /** Begins to copy a section, when its places are known and there is a file that has room for it. */
  private begin(places: LivePlaces): JobRequest | undefined {
    const request = places.next()
    if (request !== undefined) return this.ask(places, request)
    const { output } = this
    if (output === undefined) {
      const file = this.supply.take()
      if (file === undefined) return this.ask(this.supply, this.supply.request)
      this.output = new ValueOutput({ setup: this.setup, file })
      return undefined
    }
    const adding = { count: places.places.length, storedBytes: places.storedBytes }
    if (output.count > 0 && output.bytesWith(adding) > this.work.fileBytesMax) {
      output.end()
      return undefined
    }
    const { id, parts } = this.sections.pop()!
    output.builder.beginSection(id)
    this.copy = new ValueCopy(parts, places.places)
    this.places = undefined
    return undefined
  }

  private copySome(copy: ValueCopy): JobRequest | undefined {
    const request = copy.copy(this.output!.builder)
    if (request !== undefined) return this.ask(copy, request)
    this.copy = undefined
    return undefined
  }

  private end(): JobRequest | undefined {
    if (this.output === undefined) return { _tag: "Done", tables: [], valueFiles: this.made }
    this.output.end()
    return undefined
  }

  private tableToOpen(meta: TableMeta) {
    const { databaseId } = this.setup
    return {
      file: { kind: "table", number: meta.number } as const,
      begin: (fileBytes: number) => new TableOpening({ meta, fileBytes, databaseId, ...refsAlone }),
      opened: ({ valueRefs }: TableOpening) => {
        for (const named of valueRefs) this.live.add(named)
      },
      closes: true
    }
  }

  private fileToOpen(meta: ValueFileMeta) {
    const { databaseId } = this.setup
    return {
      file: { kind: "value", number: meta.number } as const,
      begin: (fileBytes: number) => new ValueFileOpening({ meta, fileBytes, databaseId }),
      opened: ({ opened: parts }: ValueFileOpening) => {
        for (const { id } of parts.sections) if (this.live.of(id).length > 0) this.sections.push({ id, parts })
      }
    }
  }
}
