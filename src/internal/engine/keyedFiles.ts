// The live files by the data key that they are sealed with: which generation the oldest has, why one is not written
// again, and how many are left.
import type { DatabaseError } from "../../services/DatabaseError.ts"
import { type DataKeyFacts, FileKind } from "../../services/Encryption.ts"
import type { DataKeyStats, RotationProgress } from "../../services/Maintenance.ts"
import type { OlderFile } from "../../services/Manifest.ts"
import type { LiveView } from "./view.ts"

/** What writes files of one kind again in the background. */
export interface Rewriter {
  /** Why its last work failed, until one succeeds. */
  readonly failing: DatabaseError | undefined
  /** What is wrong with the file of this number, if it was left alone for it. */
  readonly damageOf: (number: number) => DatabaseError | undefined
}

interface KeyedFile {
  readonly number: number
  readonly bytes: number
  readonly keyGeneration: number
}

export class KeyedFiles {
  private readonly live: LiveView
  private readonly tables: Rewriter
  private readonly values: Rewriter

  constructor(live: LiveView, rewriters: { readonly tables: Rewriter; readonly values: Rewriter }) {
    this.live = live
    this.tables = rewriters.tables
    this.values = rewriters.values
  }

  /** Of value files that commits in memory have brought along. */
  oldestInMemory(): number {
    return oldest(this.live.current.slots.flatMap(({ values }) => values.map(({ meta }) => meta)))
  }

  /** Of those in the manifest. Infinity without a file. */
  oldestLive(): number {
    return oldest(this.all())
  }

  /** Those of older generations than this. */
  older(generation: number): ReadonlyArray<KeyedFile> {
    return this.all().filter(({ keyGeneration }) => keyGeneration < generation)
  }

  /** Why the files of the oldest generation are not written again, if that is so of each. */
  damage(): DatabaseError | undefined {
    const generation = this.oldestLive()
    const { tables, valueFiles } = this.live
    let first: DatabaseError | undefined
    // Asked for with every look, of all files that are left: the first that is whole is enough.
    for (const [files, rewriter] of [[tables, this.tables] as const, [valueFiles, this.values] as const]) {
      for (const { meta } of files) {
        if (meta.keyGeneration !== generation) continue
        const damage = rewriter.damageOf(meta.number)
        if (damage === undefined) return undefined
        first ??= damage
      }
    }
    return first
  }

  /** Whether somebody reads the file, or will publish it: then it goes when that has ended. */
  isHeld({ kind, number }: Pick<OlderFile, "kind" | "number">): boolean {
    if (kind !== FileKind.table && kind !== FileKind.valueFile) return false
    return this.live.isHeld(kind === FileKind.table ? "table" : "value", number)
  }

  /** Asks from now on whether what writes files again has failed since. */
  troubles(): () => DatabaseError | undefined {
    const before = new Set([this.tables.failing, this.values.failing])
    return () => [this.tables.failing, this.values.failing].find((error) => error !== undefined && !before.has(error))
  }

  stats(keys: ReadonlyArray<DataKeyFacts>): ReadonlyArray<DataKeyStats> {
    const all = this.all()
    return keys.map((key) => {
      const own = all.filter(({ keyGeneration }) => keyGeneration === key.generation)
      return { ...key, files: own.length, bytes: bytesOf(own) }
    })
  }

  private all(): ReadonlyArray<KeyedFile> {
    const { tables, valueFiles } = this.live
    return [...tables.map(({ meta }) => meta), ...valueFiles.map(({ meta }) => meta)]
  }
}

const oldest = (files: ReadonlyArray<KeyedFile>): number => {
  let generation = Infinity
  for (const { keyGeneration } of files) generation = Math.min(generation, keyGeneration)
  return generation
}

const bytesOf = (files: ReadonlyArray<KeyedFile>): number => files.reduce((sum, { bytes }) => sum + bytes, 0)

/** How far the files of the moment that are older than the generation have come since. */
export const progressOf = (files: KeyedFiles, generation: number): (() => RotationProgress) => {
  let total = { files: 0, bytes: 0 }
  return () => {
    const left = files.older(generation)
    const bytesLeft = bytesOf(left)
    // More come to light when what was in memory is flushed.
    total = { files: Math.max(total.files, left.length), bytes: Math.max(total.bytes, bytesLeft) }
    return { ...total, filesDone: total.files - left.length, bytesDone: total.bytes - bytesLeft }
  }
}
