// Whether the values that entries name are there: in the file that has them now, with the key and sequence of the entry
// and the length that it says. Each is read for that, whole.
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { Damage } from "../../services/Maintenance.ts"
import { type StoredValue, type ValueFile, valueNowBytesMax } from "../../services/ValueLog.ts"
import { orDamage } from "./damage.ts"

/** Of values that are read together. Longer ones come in pieces. */
const batchBytesMax = 1024 * 1024

export class ValueCheck {
  /** By logical id. */
  private readonly files: ReadonlyMap<number, ValueFile>

  constructor(files: ReadonlyMap<number, ValueFile>) {
    this.files = files
  }

  /** Of values that entries of a block name, which stands at `place`. */
  of(named: ReadonlyArray<StoredValue>, place: Pick<Damage, "file" | "offset">) {
    const byFile = new Map<ValueFile, Array<StoredValue>>()
    const damage: Array<Damage> = []
    for (const value of named) {
      const { file: id, index } = value.handle
      const file = this.files.get(id)
      if (file === undefined) damage.push({ ...place, message: `value ${index} of file ${id} is named and is nowhere` })
      else byFile.set(file, [...(byFile.get(file) ?? []), value])
    }
    return Effect.map(
      Effect.forEach(byFile, ([file, values]) => checkFile(file, values)),
      (found): ReadonlyArray<Damage> => [...damage, ...found.flat()]
    )
  }
}

const checkFile = Effect.fnUntraced(function* (
  file: ValueFile,
  values: ReadonlyArray<StoredValue>
): Effect.fn.Return<ReadonlyArray<Damage>, DatabaseError> {
  const damage: Array<Damage> = []
  for (const batch of batchesOf(values.filter(({ handle }) => handle.length <= valueNowBytesMax))) {
    const found = yield* orDamage(Effect.asVoid(file.readMany(batch)))
    // One of them at least: which, and whether others are too, is only seen one by one.
    if (found !== undefined) for (const value of batch) damage.push(...(yield* checkOne(file, value)))
  }
  for (const value of values) if (value.handle.length > valueNowBytesMax) damage.push(...(yield* checkOne(file, value)))
  return damage
})

const checkOne = (
  file: ValueFile,
  { handle, owner }: StoredValue
): Effect.Effect<ReadonlyArray<Damage>, DatabaseError> =>
  Effect.map(orDamage(Stream.runDrain(file.stream(handle, owner))), (found) => (found === undefined ? [] : [found]))

const batchesOf = (values: ReadonlyArray<StoredValue>): ReadonlyArray<ReadonlyArray<StoredValue>> => {
  const batches: Array<Array<StoredValue>> = []
  let bytes = Infinity
  for (const value of values) {
    bytes += value.handle.length
    if (bytes > batchBytesMax) {
      batches.push([])
      bytes = value.handle.length
    }
    batches.at(-1)!.push(value)
  }
  return batches
}
