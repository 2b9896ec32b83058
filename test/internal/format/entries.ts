// Entries as plain values, for the tests of blocks and tables.
import type { BlockBuilder } from "../../../src/internal/format/block.ts"
import { type EntryView, makeEntryView } from "../../../src/internal/format/blockEntry.ts"
import { Kind } from "../../../src/internal/format/record.ts"
import { handleBytes, type ValueHandle, writeHandle } from "../../../src/internal/format/valueHandle.ts"
import type { Dice } from "./support.ts"

/** A handle, as the value of an entry. */
export const handleText = (handle: ValueHandle): string => {
  const bytes = new Uint8Array(handleBytes(handle))
  writeHandle(bytes, 0, handle)
  return Buffer.from(bytes).toString("latin1")
}

export interface Plain {
  readonly key: string
  readonly value: string
  readonly kind: number
  readonly sequence: number
  readonly expiresAt: number
  readonly userMeta: number
}

export const plain = (key: string, given?: Partial<Plain>): Plain => ({
  key,
  value: given?.kind === Kind.remove ? "" : "v",
  kind: Kind.set,
  sequence: 1,
  expiresAt: 0,
  userMeta: 0,
  ...given
})

export const latin1 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"))

/** The entry in the middle of other bytes. */
export const toView = (entry: Plain): EntryView => ({
  bytes: latin1(`<${entry.key}|${entry.value}>`),
  keyStart: 1,
  keyEnd: 1 + entry.key.length,
  valueStart: 2 + entry.key.length,
  valueEnd: 2 + entry.key.length + entry.value.length,
  kind: entry.kind,
  flags: 0,
  sequence: entry.sequence,
  expiresAt: entry.expiresAt,
  userMeta: entry.userMeta
})

export const fromView = (view: EntryView): Plain => ({
  key: Buffer.from(view.bytes).toString("latin1", view.keyStart, view.keyEnd),
  value: Buffer.from(view.bytes).toString("latin1", view.valueStart, view.valueEnd),
  kind: view.kind,
  sequence: view.sequence,
  expiresAt: view.expiresAt,
  userMeta: view.userMeta
})

export const readAll = (block: {
  readonly count: number
  readonly read: (index: number, into: EntryView) => void
}): Array<Plain> => {
  const view = makeEntryView()
  return Array.from({ length: block.count }, (_, index) => {
    block.read(index, view)
    return fromView(view)
  })
}

const text = (dice: Dice, length: number): string => Buffer.from(dice.bytes(length)).toString("latin1")

/** Of a file out of a few; no two of the same index. */
export const randomHandle = (dice: Dice, index: number): string =>
  handleText({ file: dice.pick([0, 7, 300, 2 ** 40]), index, length: dice.below(2 ** 28 + 1) })

/** Random entries in table order: few different keys, so that keys have several versions. */
export const randomEntries = (dice: Dice, count: number): Array<Plain> => {
  const base = dice.chance(0.5) ? 0 : dice.whole() / 2
  const entries = Array.from({ length: count }, (_, index) => {
    const kind = dice.pick([Kind.set, Kind.set, Kind.remove, Kind.valueHandle, Kind.merge])
    const removed = kind === Kind.remove
    const short = dice.chance(0.95)
    return plain(text(dice, dice.below(short ? 3 : 200)), {
      kind,
      value: removed
        ? ""
        : kind === Kind.valueHandle
          ? randomHandle(dice, index)
          : text(dice, dice.below(short ? 9 : 300)),
      sequence: Math.floor(base) + dice.below(dice.chance(0.2) ? 2 ** 31 : 100),
      expiresAt: removed || dice.chance(0.7) ? 0 : dice.whole(),
      userMeta: removed || dice.chance(0.7) ? 0 : dice.below(256)
    })
  })
  entries.sort((a, b) => Buffer.compare(latin1(a.key), latin1(b.key)) || b.sequence - a.sequence)
  return entries.filter((entry, index) => {
    const before = entries[index - 1]
    return before === undefined || before.key !== entry.key || before.sequence !== entry.sequence
  })
}

/** The block of what was added, in an array of its own. */
export const finished = (builder: BlockBuilder): Uint8Array => {
  const bytes = new Uint8Array(builder.plainBytes())
  builder.finish(bytes, 0)
  return bytes
}
