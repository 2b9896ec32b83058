import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { logFileName } from "../../src/internal/format/fileName.ts"
import { fileHeaderBytes } from "../../src/internal/format/fileHeader.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import { walSuite } from "../suites/walSuite.ts"
import { contentOf, type FaultyDisk, faultyDisk, namesOn, replaceFile } from "../support/faultyDisk.ts"
import {
  bytesOf,
  directory,
  openFiles,
  reasonOf,
  recover,
  replayed,
  type Session,
  session,
  tagOf,
  textOn
} from "../support/fileSession.ts"
import { places, walOn } from "../support/underTest.ts"

for (const [name, place] of places) walSuite(`FileWal on ${name}`, walOn(place))

const onMemory = () => faultyDisk(MemoryDisk.make().disk)

/** Recovers, appends the words, and leaves the log as a killed process does. */
const wrote = (disk: DiskService, body: (files: Session) => Effect.Effect<void, unknown>) =>
  Effect.orDie(session(disk, (files) => Effect.andThen(recover(files), Effect.orDie(body(files)))))

const say = (files: Session, ...words: ReadonlyArray<string>) =>
  Effect.forEach(words, (word) => files.wal.append([bytesOf(word)]), { discard: true })

const segmentsOn = (disk: DiskService) => namesOn(disk, directory, /\.wal$/)
const at = (name: string) => `${directory}/${name}`

describe("FileWal, damage", () => {
  it.effect(
    "bit flips over a synced log: never a wrong payload, and Corruption where a later promise covers them",
    () =>
      Effect.gen(function* () {
        const { disk } = onMemory()
        let promisedBytes = 0
        yield* wrote(disk, (files) =>
          Effect.gen(function* () {
            const { wal } = files
            yield* say(files, "first;", "second;")
            yield* wal.sync
            yield* say(files, "third;")
            yield* wal.sync
            promisedBytes = wal.stats().bytes - fileHeaderBytes
            yield* wal.mark
          })
        )
        const [log] = yield* segmentsOn(disk)
        const whole = yield* contentOf(disk, at(log!.name))
        for (let bit = 0; bit < whole.length * 8; bit++) {
          const bytes = whole.slice()
          bytes[bit >> 3]! ^= 1 << (bit & 7)
          yield* replaceFile(disk, at(log!.name), bytes)
          const exit = yield* Effect.result(textOn(disk))
          const result = exit._tag === "Success" ? exit.success : exit.failure.reason._tag
          // `stats` counts the segment prepared ahead too, if it is there: only whole files behind the LINK are meant.
          if (bit >> 3 < promisedBytes) assert.strictEqual(result, "Corruption", `bit ${bit}`)
          else assert.include(["Corruption", "first;second;third;"], result, `bit ${bit}`)
        }
      })
  )

  it.effect("an append of zeros or garbage accepted: not one that replay takes for a group, nor appends behind", () =>
    Effect.gen(function* () {
      for (const [kind, tail] of [
        ["zeros", new Uint8Array(5000)],
        ["torn", Uint8Array.from({ length: 5000 }, (_, index) => (index * 167) & 255)]
      ] as const) {
        const { disk } = onMemory()
        yield* wrote(disk, (files) => say(files, "kept;"))
        const [log] = yield* segmentsOn(disk)
        const bytes = yield* contentOf(disk, at(log!.name))
        yield* replaceFile(disk, at(log!.name), Buffer.concat([bytes, tail]))
        yield* session(disk, (files) =>
          Effect.gen(function* () {
            const { report, text } = yield* recover(files)
            assert.strictEqual(text, "kept;")
            assert.deepInclude(report.tailDropped, { file: at(log!.name), offset: bytes.length, bytes: 5000 })
            assert.match(report.tailDropped!.reason, new RegExp(`^${kind}`))
            yield* say(files, "more;")
          })
        )
        assert.strictEqual((yield* contentOf(disk, at(log!.name))).length, bytes.length + 5000)
        assert.strictEqual(yield* textOn(disk), "kept;more;")
      }
    })
  )

  it.effect("a segment that is missing is Corruption: the first, one in the middle, and a promised last one", () =>
    Effect.gen(function* () {
      for (const missing of [0, 1, 2]) {
        const { disk } = onMemory()
        yield* wrote(disk, (files) =>
          Effect.gen(function* () {
            const { manifest, wal } = files
            for (const word of ["a;", "b;", "c;"]) {
              yield* say(files, word)
              if (word !== "c;") yield* wal.switchSegment
            }
            yield* wal.seal
            yield* manifest.publish({ cleanShutdown: { lastLsn: wal.lastLsn(), lastSequence: 1 } })
          })
        )
        assert.strictEqual(yield* textOn(disk), "a;b;c;")
        yield* disk.remove(at((yield* segmentsOn(disk))[missing]!.name))
        assert.strictEqual(yield* tagOf(textOn(disk)), "Corruption", `segment ${missing}`)
      }
    })
  )

  it.effect("a header that is not whole is Corruption where frames follow, and nothing where none do", () =>
    Effect.gen(function* () {
      const { disk } = onMemory()
      yield* wrote(disk, (files) => Effect.andThen(say(files, "a;"), Effect.yieldNow))
      const logs = yield* segmentsOn(disk)
      const ahead = logs.at(-1)!
      assert.strictEqual(ahead.bytes, fileHeaderBytes)
      for (const torn of [new Uint8Array(0), new Uint8Array(96), bytesOf("STRATA\r\n")]) {
        yield* replaceFile(disk, at(ahead.name), torn)
        assert.strictEqual(yield* textOn(disk), "a;")
      }
      const bytes = yield* contentOf(disk, at(logs[0]!.name))
      bytes[90]! ^= 1
      yield* replaceFile(disk, at(logs[0]!.name), bytes)
      assert.strictEqual(yield* tagOf(textOn(disk)), "Corruption")
    })
  )

  it.effect("damage to the beginning of a segment that was synced is Corruption, whatever comes before it", () =>
    Effect.gen(function* () {
      const { disk } = onMemory()
      yield* wrote(disk, (files) =>
        Effect.gen(function* () {
          const { wal } = files
          yield* say(files, "a;")
          yield* wal.switchSegment
          yield* say(files, "b;")
          yield* wal.sync
          yield* wal.mark
        })
      )
      const second = (yield* segmentsOn(disk))[1]!
      const whole = yield* contentOf(disk, at(second.name))
      // Of the header, of the LINK's header, and of what it says.
      for (const offset of [20, fileHeaderBytes + 14, fileHeaderBytes + 40]) {
        yield* replaceFile(
          disk,
          at(second.name),
          whole.map((byte, index) => (index === offset ? byte ^ 8 : byte))
        )
        assert.strictEqual(yield* tagOf(textOn(disk)), "Corruption", `offset ${offset}`)
      }
    })
  )

  it.effect("a segment of another database is Corruption", () =>
    Effect.gen(function* () {
      const mine = onMemory().disk
      const other = onMemory().disk
      for (const disk of [mine, other]) yield* wrote(disk, (files) => say(files, "word;"))
      const [log] = yield* segmentsOn(mine)
      yield* replaceFile(mine, at(log!.name), yield* contentOf(other, at((yield* segmentsOn(other))[0]!.name)))
      assert.strictEqual(yield* tagOf(textOn(mine)), "Corruption")
    })
  )
})

describe("FileWal, epochs", () => {
  it.effect("segments of an open that did not finish are ignored", () =>
    Effect.gen(function* () {
      const { disk } = onMemory()
      yield* wrote(disk, (files) => say(files, "a;", "b;"))
      yield* session(disk, ({ wal }) =>
        Effect.andThen(
          replayed(wal),
          Effect.andThen(
            wal.start([bytesOf("a;b;")]),
            Effect.suspend(() => wal.append([bytesOf("never begun;")]))
          )
        )
      )
      assert.strictEqual(yield* textOn(disk), "a;b;")
      yield* wrote(disk, (files) => say(files, "c;"))
      assert.strictEqual(yield* textOn(disk), "a;b;c;")
    })
  )

  it.effect("LSNs go on across segments and epochs", () =>
    Effect.gen(function* () {
      const { disk } = onMemory()
      const lsns: Array<number> = []
      for (let epoch = 0; epoch < 3; epoch++) {
        yield* wrote(disk, (files) =>
          Effect.gen(function* () {
            const { wal } = files
            lsns.push(wal.lastLsn())
            yield* say(files, "x;")
            lsns.push(wal.lastLsn())
            yield* wal.switchSegment
            lsns.push(wal.lastLsn())
          })
        )
      }
      // LINK; group; SEALED and LINK; then LINK and what was replayed; …
      assert.deepStrictEqual(lsns, [1, 2, 4, 6, 7, 9, 11, 12, 14])
    })
  )

  it.effect("a reader's log ends where its replay did, and has written nothing", () =>
    Effect.gen(function* () {
      const { disk } = onMemory()
      yield* wrote(disk, (files) => say(files, "a;"))
      const { wal } = yield* openFiles(disk, { readOnly: true })
      const counts = () => [wal.lastLsn(), wal.syncedLsn(), wal.bytesWritten()]
      assert.deepStrictEqual(counts(), [0, 0, 0])
      const { lastLsn } = yield* wal.replay(() => Effect.void)
      assert.isAbove(lastLsn, 0)
      assert.deepStrictEqual(counts(), [lastLsn, 0, 0])
    })
  )

  it.effect("a reader whose files a later writer removed is Stale, never wrong", () =>
    Effect.gen(function* () {
      const { disk } = onMemory()
      yield* wrote(disk, (files) => say(files, "a;"))
      const reader = yield* openFiles(disk, { readOnly: true })
      yield* wrote(disk, (files) =>
        Effect.andThen(
          say(files, "b;"),
          files.manifest.removeOrphans((_, number) => number >= files.wal.segment())
        )
      )
      assert.strictEqual(yield* tagOf(replayed(reader.wal)), "Stale")
    })
  )
})

const recovered = Effect.fnUntraced(function* (faulty: FaultyDisk) {
  const files = yield* openFiles(faulty.disk)
  yield* recover(files)
  return files
})

describe("FileWal, a full disk", () => {
  it.effect("a hole because a newer log was synced before an older one: the older is synced first", () =>
    Effect.gen(function* () {
      const faulty = onMemory()
      const { wal } = yield* recovered(faulty)
      // The next segment is prepared in the background.
      yield* Effect.yieldNow
      const first = logFileName(wal.segment())
      yield* wal.append([bytesOf("not synced")])
      faulty.failNext({ operation: "append", path: /wal$/, code: "ENOSPC", bytesAccepted: 7 })
      assert.strictEqual(yield* tagOf(wal.append([bytesOf("refused")])), "DiskFull")
      const from = faulty.calls.length
      yield* wal.append([bytesOf("in the next")])
      yield* wal.sync
      const second = logFileName(wal.segment())
      assert.notStrictEqual(second, first)
      const mine = faulty.calls.slice(from).filter((call) => call.endsWith(first) || call.endsWith(second))
      const expected = [`sync ${first}`, `append ${second}`, `close ${first}`, `append ${second}`, `sync ${second}`]
      assert.deepStrictEqual(mine, expected)
    })
  )

  it.effect("a refused LINK costs nothing: the next append tries again, in another segment if bytes are torn", () =>
    Effect.gen(function* () {
      for (const bytesAccepted of [0, 30]) {
        const faulty = onMemory()
        yield* wrote(faulty.disk, (files) =>
          Effect.gen(function* () {
            const { wal } = files
            yield* say(files, "one;")
            const lsn = wal.lastLsn()
            faulty.failNext({ operation: "append", path: /wal$/, code: "ENOSPC", bytesAccepted: 3 })
            assert.strictEqual(yield* tagOf(say(files, "never;")), "DiskFull")
            faulty.failNext({ operation: "append", path: /wal$/, code: "ENOSPC", bytesAccepted })
            assert.strictEqual(yield* tagOf(say(files, "never;")), "DiskFull")
            assert.strictEqual(wal.lastLsn(), lsn)
            yield* say(files, "two;")
            // LINK and group.
            assert.strictEqual(wal.lastLsn(), lsn + 2)
            yield* wal.sync
          })
        )
        assert.strictEqual(yield* textOn(faulty.disk), "one;two;")
      }
    })
  )

  it.effect("a switch that the disk refuses can be tried again, and SEALED is written once", () =>
    Effect.gen(function* () {
      for (const [skip, bytesAccepted] of [
        [0, 0],
        [0, 11],
        [1, 0],
        [1, 11]
      ] as const) {
        const faulty = onMemory()
        yield* wrote(faulty.disk, (files) =>
          Effect.gen(function* () {
            const { wal } = files
            yield* say(files, "one;")
            const path = skip === 0 ? new RegExp(logFileName(wal.segment())) : /wal$/
            if (skip === 1) {
              // The first append of a switch is SEALED; this one lets it pass.
              faulty.failNext({ operation: "append", path: /wal$/, code: "pass" })
            }
            faulty.failNext({ operation: "append", path, code: "ENOSPC", bytesAccepted })
            const before = wal.segment()
            assert.strictEqual(yield* tagOf(wal.switchSegment), skip === 0 ? "DiskFull" : "Io")
            assert.strictEqual(wal.segment(), before)
            yield* Effect.ignore(wal.switchSegment)
            if (wal.segment() === before) yield* wal.switchSegment
            assert.notStrictEqual(wal.segment(), before)
            yield* say(files, "two;")
          })
        )
        assert.strictEqual(yield* textOn(faulty.disk), "one;two;")
      }
    })
  )

  it.effect("preparing the next segment is tried again when it is needed", () =>
    Effect.gen(function* () {
      const faulty = onMemory()
      yield* wrote(faulty.disk, (files) =>
        Effect.gen(function* () {
          yield* Effect.yieldNow
          faulty.failNext({ operation: "create", path: /wal$/, code: "ENOSPC" })
          yield* files.wal.switchSegment
          yield* Effect.yieldNow
          yield* say(files, "a;")
          yield* files.wal.switchSegment
          yield* say(files, "b;")
        })
      )
      assert.strictEqual(yield* textOn(faulty.disk), "a;b;")
    })
  )

  it.effect("a failed sync on the way into the next segment ends the log", () =>
    Effect.gen(function* () {
      const faulty = onMemory()
      const { wal } = yield* recovered(faulty)
      yield* wal.append([bytesOf("a;")])
      faulty.failNext({ operation: "sync", path: /wal$/, code: "EIO" })
      assert.strictEqual(yield* tagOf(wal.switchSegment), "Poisoned")
      const { length } = faulty.calls
      assert.strictEqual(yield* tagOf(wal.append([bytesOf("b;")])), "Poisoned")
      assert.strictEqual(yield* tagOf(wal.sync), "Poisoned")
      assert.strictEqual(faulty.calls.length, length)
    })
  )
})

describe("FileWal", () => {
  it.effect("a mark is written when all is durable and that was not said yet", () =>
    Effect.gen(function* () {
      const { wal } = yield* recovered(onMemory())
      const written = () => wal.stats().bytesWritten
      const before = written()
      yield* wal.mark
      yield* wal.append([bytesOf("a")])
      const appended = written()
      yield* wal.mark
      assert.strictEqual(written(), appended)
      yield* wal.sync
      yield* wal.mark
      assert.isAbove(written(), appended)
      const marked = written()
      yield* wal.mark
      yield* wal.sync
      yield* wal.mark
      assert.strictEqual(written(), marked)
      assert.isBelow(before, marked)
    })
  )

  it.effect("names the file, and says nothing was changed, when it is damaged", () =>
    Effect.gen(function* () {
      const { disk } = onMemory()
      yield* wrote(disk, (files) => say(files, "a;"))
      yield* disk.remove(at((yield* segmentsOn(disk))[0]!.name))
      const reason = yield* reasonOf(textOn(disk))
      assert.match(reason!.message, /log-[0-9a-f]{16}\.wal.*is missing. Nothing was changed/)
    })
  )
})
