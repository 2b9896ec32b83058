// Which values of some logical files are live: those that at least one table names. What tables name is given one table
// after the other; a value may be named by several, as versions of a key that were kept for snapshots are.

import type { FileRefs } from "../format/valueRefs.ts"

const none = new Uint32Array(0)

export class LiveValues {
  private readonly indexes = new Map<number, Uint32Array>()

  /** Of these logical files; what is said of others is passed over. */
  constructor(ids: ReadonlyArray<number>) {
    for (const id of ids) this.indexes.set(id, none)
  }

  add({ file, indexes }: Pick<FileRefs, "file" | "indexes">): void {
    const known = this.indexes.get(file)
    if (known !== undefined) this.indexes.set(file, known.length === 0 ? indexes : union(known, indexes))
  }

  /** Ascending, each once. */
  of(id: number): Uint32Array {
    return this.indexes.get(id) ?? none
  }
}

const union = (a: Uint32Array, b: Uint32Array): Uint32Array => {
  const all = new Uint32Array(a.length + b.length)
  let count = 0
  let atA = 0
  let atB = 0
  while (atA < a.length || atB < b.length) {
    const fromA = atB === b.length || (atA < a.length && a[atA] <= b[atB])
    const next = fromA ? a[atA] : b[atB]
    if (fromA) atA += 1
    else atB += 1
    if (count === 0 || all[count - 1] !== next) all[count++] = next
  }
  return all.subarray(0, count)
}
