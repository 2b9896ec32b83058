// How much of each value file is still referenced. Exact: each table says how many values of which section its entries
// name, and every value is named by one entry of one table. Tables come and go one at a time, so the sums follow the
// difference: of a thousand tables with a thousand references each, only those of the new and the gone are added up.

/** What is read of a table. */
export interface Referring {
  readonly meta: {
    readonly valueRefs: ReadonlyArray<{ readonly file: number; readonly count: number; readonly bytes: number }>
  }
}

/** What is read of a value file. */
export interface UsedFile {
  readonly number: number
  readonly bytes: number
  readonly sections: ReadonlyArray<{ readonly id: number; readonly count: number; readonly bytes: number }>
  /** Of the data key that it is sealed with. 0, as without encryption, if it is not said. */
  readonly keyGeneration?: number
}

export interface FileUsage<F extends UsedFile> {
  readonly file: F
  /** Values that some table names, and their lengths together. */
  readonly liveCount: number
  readonly liveBytes: number
  /** All values that the file holds, and their lengths together. */
  readonly valueCount: number
  readonly valueBytes: number
  /** From 0 to 1: the share of `valueBytes` that nothing names. A file that nothing names at all has 1. */
  readonly garbageRatio: number
}

interface Sum {
  count: number
  bytes: number
}

export class ValueReferences {
  private readonly sums = new Map<number, Sum>()
  private known = new Set<Referring>()

  /** From now on of these tables. */
  learn(tables: ReadonlyArray<Referring>): void {
    const next = new Set(tables)
    for (const table of this.known) if (!next.has(table)) this.add(table, -1)
    for (const table of next) if (!this.known.has(table)) this.add(table, 1)
    this.known = next
  }

  of<F extends UsedFile>(file: F): FileUsage<F> {
    let [liveCount, liveBytes, valueBytes, valueCount] = [0, 0, 0, 0]
    for (const { bytes, count, id } of file.sections) {
      const live = this.sums.get(id)
      liveCount += live?.count ?? 0
      liveBytes += live?.bytes ?? 0
      valueCount += count
      valueBytes += bytes
    }
    const garbageRatio = liveCount === 0 ? 1 : ratioOf(valueBytes - liveBytes, valueBytes, valueCount - liveCount)
    return { file, liveCount, liveBytes, valueCount, valueBytes, garbageRatio }
  }

  private add({ meta }: Referring, times: 1 | -1): void {
    for (const { bytes, count, file } of meta.valueRefs) {
      const sum = this.sums.get(file) ?? { count: 0, bytes: 0 }
      sum.count += times * count
      sum.bytes += times * bytes
      if (sum.count === 0) this.sums.delete(file)
      else this.sums.set(file, sum)
    }
  }
}

/** Streamed values may be empty: a dead one is garbage of its place alone. */
const ratioOf = (garbage: number, all: number, deadCount: number): number => {
  if (deadCount === 0) return 0
  return all === 0 ? 0.5 : garbage / all
}
