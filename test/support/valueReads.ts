// Every way in which a value is read, lazy and streamed ones too.
import { assert } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { Reader } from "../../src/services/Database.ts"
import { streamed } from "./valueKit.ts"

/** Found by every kind of read, lazy ones too. */
export const seenByAll = Effect.fnUntraced(function* (reader: Reader, key: string, expected: Uint8Array) {
  const found: Array<Uint8Array | undefined> = [yield* reader.get(key), ...(yield* reader.getMany([key]))]
  found.push((yield* reader.getEntry(key))?.value, yield* streamed(reader, key))
  const unsafe = reader.getUnsafe(key)
  if (typeof unsafe !== "symbol") found.push(unsafe)
  for (const { value } of yield* Stream.runCollect(reader.scan({ prefix: key }))) found.push(value)
  found.push(...(yield* Stream.runCollect(Stream.mapEffect(reader.scanLazy({ prefix: key }), (one) => one.value))))
  yield* Effect.scoped(
    Effect.gen(function* () {
      const [cursor, lazy] = [yield* reader.cursor(), yield* reader.cursor({ lazy: true })]
      assert.isTrue((yield* cursor.seekExact(key)) && (yield* lazy.seekExact(key)))
      found.push(cursor.value?.slice(), cursor.entry?.value.slice(), yield* lazy.readValue)
      assert.strictEqual(lazy.valueBytes, expected.length)
      assert.isUndefined(lazy.value)
    })
  )
  assert.isAtLeast(found.length, 9)
  for (const [way, value] of found.entries()) {
    assert.strictEqual(value?.length, expected.length, `way ${way}`)
    assert.isTrue(value !== undefined && Buffer.compare(value, expected) === 0, `way ${way}`)
  }
})
