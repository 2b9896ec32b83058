// The reference: what a database must answer, written to be obviously right and not to be fast. Keys are hex strings,
// whose order is that of the bytes.
import { assert } from "@effect/vitest"
import type { Bounds, Entry, Range } from "../../src/services/Database.ts"

export interface ModelPoint {
  readonly key: string
  /** `undefined` removes. */
  readonly value: string | undefined
  readonly expiresAt?: number | undefined
  readonly userMeta?: number | undefined
}

export interface ModelRemoval {
  readonly removed: Bounds
}

export type ModelWrite = ModelPoint | ModelRemoval

export interface ModelEntry {
  readonly key: string
  readonly value: string
  readonly sequence: number
  readonly expiresAt: number | undefined
  readonly userMeta: number
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"))

const hexOf = (value: string | Uint8Array): string =>
  typeof value === "string" ? hex(new TextEncoder().encode(value)) : hex(value)

/** What the writes leave of the key: the last that touches it; `undefined` if none does. */
export const lastOf = (
  writes: ReadonlyArray<ModelWrite>,
  key: string
): Pick<ModelPoint, "value" | "expiresAt"> | undefined => {
  const last = writes.findLast((write) =>
    "removed" in write ? inRange([{ key }], write.removed).length > 0 : write.key === key
  )
  return last !== undefined && "removed" in last ? { value: undefined } : last
}

/** The commits in their order. A later write of a key in the same commit wins. */
export class Model {
  readonly commits: Array<{ readonly sequence: number; readonly writes: ReadonlyArray<ModelWrite> }> = []

  commit(sequence: number, writes: ReadonlyArray<ModelWrite>): void {
    this.commits.push({ sequence, writes })
    this.commits.sort((a, b) => a.sequence - b.sequence)
  }

  get lastSequence(): number {
    return this.commits.at(-1)?.sequence ?? 0
  }

  /** All that is there at the sequence for a reader to whom it is `now`, in order. */
  at(sequence: number, now: number): ReadonlyArray<ModelEntry> {
    const entries = new Map<string, ModelEntry>()
    for (const commit of this.commits) {
      if (commit.sequence > sequence) break
      for (const write of commit.writes) {
        if ("removed" in write) {
          for (const { key } of inRange([...entries.values()], write.removed)) entries.delete(key)
          continue
        }
        const { expiresAt, key, userMeta, value } = write
        entries.delete(key)
        if (value === undefined) continue
        entries.set(key, { key, value, sequence: commit.sequence, expiresAt, userMeta: userMeta ?? 0 })
      }
    }
    return unexpired([...entries.values()], now).toSorted((a, b) => (a.key < b.key ? -1 : 1))
  }
}

/** What is known of the `now` of who reads. */
export interface Now {
  readonly leastMillis: number
  readonly mostMillis: number
}

/**
 * Fails unless what one reader found is all of it but for what has expired, at some `now` that he may have had: what is
 * there expires after it, and what is gone expired before.
 */
export const assertExpired = (
  found: ReadonlyArray<ModelEntry>,
  all: ReadonlyArray<ModelEntry>,
  { now, told }: { readonly now: Now; readonly told: string }
): void => {
  const there = new Set(found.map(({ key }) => key))
  const expected = all.filter(({ expiresAt, key }) => expiresAt === undefined || there.has(key))
  assert.deepStrictEqual(found, expected, told)
  let latestGone = 0
  let earliestThere = Infinity
  for (const { expiresAt = Infinity, key } of all) {
    if (there.has(key)) earliestThere = Math.min(earliestThere, expiresAt)
    else latestGone = Math.max(latestGone, expiresAt)
  }
  const least = Math.max(now.leastMillis, latestGone)
  assert.isAbove(earliestThere, least, `${told}: something is there that has expired`)
  assert.isAtMost(latestGone, now.mostMillis, `${told}: something is gone before it expires`)
}

/** What is still there at that time. */
export const unexpired = <A extends Pick<ModelEntry, "expiresAt">>(
  entries: ReadonlyArray<A>,
  now: number
): ReadonlyArray<A> => entries.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now)

/** The part of the entries that a range reads, in its direction. */
export const inRange = <A extends Pick<ModelEntry, "key">>(
  entries: ReadonlyArray<A>,
  range: Range
): ReadonlyArray<A> => {
  const { fromExclusive, reverse, toInclusive } = range
  const prefix = range.prefix === undefined ? "" : hexOf(range.prefix)
  const suffix = range.suffix === undefined ? "" : hexOf(range.suffix)
  const from = range.from === undefined ? undefined : hexOf(range.from)
  const to = range.to === undefined ? undefined : hexOf(range.to)
  const inside = entries.filter(
    ({ key }) =>
      key.startsWith(prefix) &&
      key.endsWith(suffix) &&
      (from === undefined || (fromExclusive === true ? key > from : key >= from)) &&
      (to === undefined || (toInclusive === true ? key <= to : key < to))
  )
  const ordered = reverse === true ? [...inside].reverse() : inside
  return ordered.slice(0, range.limit ?? ordered.length)
}

export const toModelEntry = (entry: Entry): ModelEntry => ({
  key: hex(entry.key),
  value: hex(entry.value),
  sequence: entry.sequence,
  expiresAt: entry.expiresAt,
  userMeta: entry.userMeta
})
