import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { Effect, PlatformError, Stream } from "effect"
import * as MemoryDatabase from "../../src/layers/MemoryDatabase.ts"
import { emptyTally, type Item, load, type Long } from "../../src/programs/load.ts"
import { Database } from "../../src/services/Database.ts"

const valueBytesMax = 100_000

const entry = (key: string): Item => ({ _tag: "Entry", at: key, key, value: new Uint8Array(10) })
const long = (key: string, pieces: Long["pieces"]): Item => ({ _tag: "Long", at: key, key, pieces })
const unreadable = PlatformError.systemError({ _tag: "Unknown", module: "FileSystem", method: "read" })
const piece = new Uint8Array(30_000).fill(7)

it.live("stores long values between batches, in order, and goes on behind one that cannot be stored", () =>
  Effect.gen(function* () {
    const database = yield* Database
    const notes: Array<string> = []
    const tally = emptyTally()
    const items: ReadonlyArray<Item> = [
      entry("a"),
      entry("b"),
      long("c", Stream.make(piece, piece)),
      long("cut", Stream.concat(Stream.make(piece, piece), Stream.fail(unreadable))),
      entry("d"),
      long("grown", Stream.make(piece, piece, piece, piece)),
      long("k".repeat(65_536), Stream.die("is not read")),
      entry("e")
    ]
    yield* load(Stream.fromIterable(items), {
      prefix: new Uint8Array(0),
      note: (line) => Effect.sync(() => notes.push(line.replace(/k{9,}/, "KEY"))),
      tally
    })
    assert.deepStrictEqual(tally, {
      ...emptyTally(),
      entries: 5,
      bytes: 4 * 11 + 60_001,
      commits: 4,
      skipped: 2,
      unreadable: 1
    })
    const entries = yield* Stream.runCollect(database.scan())
    const sequences = entries.map(({ sequence }) => sequence - entries[0]!.sequence)
    assert.deepStrictEqual(
      entries.map(({ key, value }, index) => [new TextDecoder().decode(key), value.length, sequences[index]]),
      [
        ["a", 10, 0],
        ["b", 10, 0],
        ["c", 60_000, 1],
        ["d", 10, 2],
        ["e", 10, 3]
      ]
    )
    assert.lengthOf(notes, 3)
    assert.match(notes[0]!, /^cannot read cut: /)
    assert.match(notes[1]!, /^skipped grown: .*100000/)
    assert.match(notes[2]!, /^skipped KEY: its key of 65536 bytes is over the limit of 65535$/)
  }).pipe(Effect.provide([NodeServices.layer, MemoryDatabase.layer({ valueBytesMax, directValueBytesMin: 1000 })]))
)
