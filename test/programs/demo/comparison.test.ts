import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import * as MemoryDatabase from "../../../src/layers/MemoryDatabase.ts"
import { compare } from "../../../src/programs/demo/comparison.ts"
import { isLong, list, wholeBytesMax } from "../../../src/programs/demo/source.ts"
import { storeFrom } from "../../../src/programs/demo/store.ts"
import { Database } from "../../../src/services/Database.ts"
import { temporaryDirectory } from "../support.ts"

const content = (bytes: number) => Uint8Array.from({ length: bytes }, (_, index) => (index * 31 + (index >>> 9)) & 255)

/** Stores two files, hands them to the test, and says for which of them the database has what the disk has. */
const compared = (bytes: number, change: (file: string) => Effect.Effect<unknown, unknown, Database>) =>
  Effect.gen(function* () {
    const root = temporaryDirectory()
    for (const name of ["a", "b"]) fs.writeFileSync(path.join(root, name), content(bytes))
    const source = yield* list(root, 8 * wholeBytesMax)
    yield* storeFrom(source, 0, () => Effect.void)
    yield* change(path.join(root, "b"))
    return yield* Effect.forEach(source.files, (file) => compare(source, file))
  }).pipe(Effect.provide([NodeServices.layer, MemoryDatabase.layer()]))

const flip = (file: string, offset: number): void => {
  const bytes = fs.readFileSync(file)
  bytes[offset]! ^= 1
  fs.writeFileSync(file, bytes)
}

// Not the end of a piece.
const longBytes = wholeBytesMax + 300_001

for (const [what, bytes] of [
  ["a file in memory as a whole", wholeBytesMax],
  ["a file in pieces", longBytes]
] as const) {
  describe(what, () => {
    it.live("is equal to what was stored of it", () =>
      Effect.gen(function* () {
        const both = yield* compared(bytes, () => Effect.void)
        assert.deepStrictEqual(
          both.map(({ bytes, isEqual }) => ({ bytes, isEqual })),
          [
            { bytes, isEqual: true },
            { bytes, isEqual: true }
          ]
        )
        for (const { nanos } of both) assert.isAbove(nanos, 0)
      })
    )

    const changes: ReadonlyArray<readonly [what: string, change: (file: string) => void]> = [
      ["its first byte", (file) => flip(file, 0)],
      ["a byte within", (file) => flip(file, 256 * 1024)],
      ["its last byte", (file) => flip(file, bytes - 1)],
      ["one byte more", (file) => fs.appendFileSync(file, "x")],
      ["one byte less", (file) => fs.truncateSync(file, bytes - 1)],
      ["none", (file) => fs.truncateSync(file)]
    ]
    it.live.each(changes)("differs by %s", ([, change]) =>
      Effect.gen(function* () {
        const [a, b] = yield* compared(bytes, (file) => Effect.sync(() => change(file)))
        assert.deepStrictEqual([a!.isEqual, b!.isEqual], [true, false])
      })
    )

    it.live("differs from a value that is not there", () =>
      Effect.gen(function* () {
        const [a, b] = yield* compared(bytes, () => Database.use((database) => database.remove("b")))
        assert.deepStrictEqual([a!.isEqual, b!.isEqual, b!.bytes], [true, false, 0])
      })
    )
  })
}

it.live("each batch is a commit, also that of a long file", () =>
  Effect.gen(function* () {
    const root = temporaryDirectory()
    for (const [index, bytes] of [10, 20, longBytes, longBytes, 0].entries()) {
      fs.writeFileSync(path.join(root, String(index)), content(bytes))
    }
    const source = yield* list(root, 8 * wholeBytesMax)
    assert.deepStrictEqual(source.files.map(isLong), [false, false, true, true, false])
    const database = yield* Database
    const seen: Array<readonly [batches: number, entries: number, sequence: number]> = []
    yield* storeFrom(source, 0, (batches) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { sequence } = yield* database.snapshot
          seen.push([batches, yield* database.count(), sequence])
        })
      )
    )
    const [[, , first]] = seen as [(typeof seen)[number]]
    assert.deepStrictEqual(
      seen.map(([batches, entries, sequence]) => [batches, entries, sequence - first]),
      [
        [1, 2, 0],
        [2, 3, 1],
        [3, 4, 2],
        [4, 5, 3]
      ]
    )
  }).pipe(Effect.provide([NodeServices.layer, MemoryDatabase.layer()]))
)
