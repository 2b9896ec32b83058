// What the suite of `ValueLog` is run on, and how its tests look at it.
import { assert } from "@effect/vitest"
import { Effect, type Scope, Stream } from "effect"
import { concatBytes } from "../../src/internal/format/bytes.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { type ValueFile, type ValueLogService, valueNowBytesMax } from "../../src/services/ValueLog.ts"
import type { PlainValue } from "./valueFiles.ts"
import { storedOf } from "./valueLogs.ts"

export interface ValueLogUnderTest {
  readonly disk: DiskService
  readonly directory: string
  /** The layer on that directory; each call makes one that has opened nothing yet. */
  readonly values: (options?: OptionsInput) => Effect.Effect<ValueLogService, never, Scope.Scope>
}

export type Use = (name: string, body: (under: ValueLogUnderTest) => Effect.Effect<void, unknown, Scope.Scope>) => void

export const names = ({ directory, disk }: ValueLogUnderTest) =>
  Effect.map(disk.list(directory), (entries) => entries.map(({ name }) => name))

export const onlyFile = (under: ValueLogUnderTest) =>
  Effect.map(names(under), (all) => {
    assert.lengthOf(all, 1)
    return under.disk.join(under.directory, all[0]!)
  })

/** Every way to read a value gives the same. */
export const checkRead = Effect.fnUntraced(function* (file: ValueFile, plain: PlainValue) {
  const { handle, owner } = storedOf(plain)
  const what = `${plain.id}/${plain.index}, ${plain.value.length} bytes`
  assert.isTrue(Buffer.from(yield* file.read(handle, owner)).equals(plain.value), what)
  const now = file.readUnsafe(handle, owner)
  if (plain.value.length > valueNowBytesMax) assert.isUndefined(now, what)
  else if (now !== undefined) assert.isTrue(Buffer.from(now).equals(plain.value), what)
  const pieces = yield* Stream.runCollect(file.stream(handle, owner))
  for (const piece of pieces) assert.isTrue(piece.length > 0 && piece.length <= 256 * 1024, what)
  assert.isTrue(Buffer.from(concatBytes(Array.from(pieces))).equals(plain.value), what)
})
