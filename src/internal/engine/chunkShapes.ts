// What the chunks of a scan are made into.
import * as Effect from "effect/Effect"
import type { Entry, LazyEntry } from "../../services/Database.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { ChunkBuilder, Parts } from "./chunk.ts"
import type { MomentValues, Separated } from "./valueReads.ts"

export interface ChunkShape<A> {
  readonly parts: Parts
  readonly build: (chunk: ChunkBuilder, values: MomentValues) => Effect.Effect<ReadonlyArray<A>, DatabaseError>
}

const entriesOf = (
  chunk: ChunkBuilder,
  bytes: Uint8Array<ArrayBuffer>,
  read: ReadonlyArray<Uint8Array | undefined> | undefined
): ReadonlyArray<Entry> => {
  const entries: Array<Entry> = []
  const { buffer } = bytes
  for (let index = 0; index < chunk.count; index++) {
    entries.push({
      key: chunk.keyAt(index, buffer),
      value: read?.[index] ?? chunk.valueAt(index, buffer),
      sequence: chunk.sequenceAt(index),
      expiresAt: chunk.expiresAt(index),
      userMeta: chunk.userMetaAt(index)
    })
  }
  return entries
}

/** With the values of the chunk that are not with their records, read in one go. */
export const entryShape: ChunkShape<Entry> = {
  parts: "entries",
  build: (chunk, values) => {
    const bytes = chunk.take()
    if (chunk.separate === 0) return Effect.succeed(entriesOf(chunk, bytes, undefined))
    const separated: Array<Separated> = []
    const ordinals: Array<number> = []
    for (let index = 0; index < chunk.count; index++) {
      const value = chunk.separatedAt(index, bytes)
      if (value === undefined) continue
      separated.push(value)
      ordinals.push(index)
    }
    return Effect.map(values.many(separated), (found) => {
      const read: Array<Uint8Array | undefined> = Array.from({ length: chunk.count })
      for (const [position, ordinal] of ordinals.entries()) read[ordinal] = found[position]
      return entriesOf(chunk, bytes, read)
    })
  }
}

/** With values that are read when they are wanted. */
export const lazyShape: ChunkShape<LazyEntry> = {
  parts: "lazy",
  build: (chunk, values) => {
    const bytes = chunk.take()
    const { buffer } = bytes
    const entries: Array<LazyEntry> = []
    for (let index = 0; index < chunk.count; index++) {
      const separated = chunk.separatedAt(index, bytes)
      const value = separated === undefined ? chunk.valueAt(index, buffer) : undefined
      entries.push({
        key: chunk.keyAt(index, buffer),
        valueBytes: separated?.handle.length ?? value!.length,
        value: separated === undefined ? Effect.succeed(value!) : values.one(separated),
        sequence: chunk.sequenceAt(index),
        expiresAt: chunk.expiresAt(index),
        userMeta: chunk.userMetaAt(index)
      })
    }
    return Effect.succeed(entries)
  }
}

export const keyShape: ChunkShape<Uint8Array> = {
  parts: "keys",
  build: (chunk) => {
    const { buffer } = chunk.take()
    const keys: Array<Uint8Array> = []
    for (let index = 0; index < chunk.count; index++) keys.push(chunk.keyAt(index, buffer))
    return Effect.succeed(keys)
  }
}
