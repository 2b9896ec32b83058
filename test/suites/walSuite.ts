// The contract of `Wal`, one test for each numbered invariant in the contract's words. Every layer passes all of them.
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { WalService } from "../../src/services/Wal.ts"
import { bytesOf, recover, replayed, type Session, tagOf } from "../support/fileSession.ts"

export interface WalUnderTest {
  /** Opens the log and its manifest. Closing the scope without `seal` is what a killed process leaves. */
  readonly open: Effect.Effect<Session, DatabaseError, Scope.Scope>
  /** Opens what a power cut now would leave, without what was not durable; absent where the disk cannot tell. */
  readonly openAfterPowerCut?: Effect.Effect<Session, DatabaseError, Scope.Scope>
  /** The next call of this kind on a log segment fails; of an append, this many bytes are written. */
  readonly failNext: (operation: "append" | "sync", code: string, bytesAccepted?: number) => void
  /** Changes the last bit of the first byte of this text, in the segment that holds it. */
  readonly flipBitAt: (text: string) => Effect.Effect<void>
  /** Every file's name and size. */
  readonly listing: Effect.Effect<string>
}

const began = Effect.fnUntraced(function* (under: WalUnderTest) {
  const files = yield* under.open
  yield* recover(files)
  return files
})

const texts = Effect.fnUntraced(function* (open: WalUnderTest["open"]) {
  const { wal } = yield* open
  return (yield* replayed(wal)).groups.filter((group) => group !== "")
}, Effect.scoped)

const closeCleanly = Effect.fnUntraced(function* ({ manifest, wal }: Session) {
  yield* wal.seal
  yield* manifest.publish({ cleanShutdown: { lastLsn: wal.lastLsn(), lastSequence: 0 } })
})

const large = "L".repeat(2_500_000)

const later = (wal: WalService, text: string) => wal.append([bytesOf(text)])

/** On the calling stack, if the log can. */
const now = (wal: WalService, text: string): Effect.Effect<void, DatabaseError> =>
  Effect.suspend(() => {
    try {
      return wal.appendUnsafe(bytesOf(text), 0, text.length) ? Effect.void : later(wal, text)
    } catch (error) {
      return Effect.fail(error as DatabaseError)
    }
  })

type Use = (name: string, body: (under: WalUnderTest) => Effect.Effect<void, unknown, Scope.Scope>) => void

export const walSuite = (layerName: string, make: Effect.Effect<WalUnderTest, unknown, Scope.Scope>): void => {
  const use: Use = (name, body) => it.live(name, () => Effect.flatMap(make, body))
  describe(`Wal (${layerName})`, () => {
    order(use)
    failures(use)
  })
}

const order = (use: Use): void => {
  use("1. groups replay in the order they were appended, each whole or not at all", (under) =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { wal } = yield* began(under)
          yield* wal.append([bytesOf("o"), bytesOf("ne")])
          yield* wal.append([bytesOf("two")])
          yield* wal.switchSegment
          yield* wal.append([bytesOf(large), bytesOf("end")])
          yield* wal.append([bytesOf("four")])
        })
      )
      assert.deepStrictEqual(yield* texts(under.open), ["one", "two", `${large}end`, "four"])
    })
  )

  use("1. groups of one piece that are appended on the calling stack replay with the others, as they were", (under) =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { wal } = yield* began(under)
          const written = wal.appendUnsafe(bytesOf("<one>"), 1, 4)
          if (!written) yield* wal.append([bytesOf("one")])
          yield* wal.append([bytesOf("two")])
          assert.strictEqual(wal.appendUnsafe(bytesOf("three"), 0, 5), written)
          if (!written) yield* wal.append([bytesOf("three")])
          assert.isFalse(wal.appendUnsafe(bytesOf(large), 0, large.length), "too large to be copied together")
          yield* wal.switchSegment
          if (!wal.appendUnsafe(bytesOf("four"), 0, 4)) yield* wal.append([bytesOf("four")])
        })
      )
      assert.deepStrictEqual(yield* texts(under.open), ["one", "two", "three", "four"])
    })
  )

  use("2. a group whose append was followed by a sync that returned survives a power cut", (under) =>
    Effect.gen(function* () {
      const { wal } = yield* began(under)
      yield* wal.append([bytesOf("synced")])
      yield* wal.sync
      yield* wal.append([bytesOf("not synced")])
      assert.isBelow(wal.syncedLsn(), wal.lastLsn())
      if (under.openAfterPowerCut === undefined) return
      assert.deepStrictEqual(yield* texts(under.openAfterPowerCut), ["synced"])
      yield* wal.switchSegment
      yield* wal.append([bytesOf("in the next segment")])
      yield* wal.sync
      const all = ["synced", "not synced", "in the next segment"]
      assert.deepStrictEqual(yield* texts(under.openAfterPowerCut), all)
    })
  )

  use("2. one whose append returned survives a killed process", (under) =>
    Effect.gen(function* () {
      yield* Effect.scoped(Effect.flatMap(began(under), ({ wal }) => wal.append([bytesOf("appended")])))
      assert.deepStrictEqual(yield* texts(under.open), ["appended"])
    })
  )

  use("3. what replays after a crash is a prefix of what was appended", (under) =>
    Effect.gen(function* () {
      const { wal } = yield* began(under)
      for (const group of ["a", "b", "c", "d"]) {
        yield* wal.append([bytesOf(group)])
        if (group === "b") yield* wal.sync
      }
      if (under.openAfterPowerCut === undefined) return
      assert.match((yield* texts(under.openAfterPowerCut)).join(""), /^ab(c(d)?)?$/)
    })
  )

  use("6. nothing is ever appended to a segment of an earlier epoch, and replay changes nothing on disk", (under) =>
    Effect.gen(function* () {
      yield* Effect.scoped(Effect.flatMap(began(under), ({ wal }) => wal.append([bytesOf("first")])))
      const before = yield* under.listing
      assert.deepStrictEqual(yield* texts(under.open), ["first"])
      assert.strictEqual(yield* under.listing, before)
      yield* Effect.scoped(Effect.flatMap(began(under), ({ wal }) => wal.append([bytesOf("second")])))
      const after = yield* under.listing
      for (const line of before.split("\n").filter((line) => line.includes(".wal"))) assert.include(after, line)
      assert.deepStrictEqual(yield* texts(under.open), ["first", "second"])
    })
  )

  use("a sealed log whose manifest says so opens without a tail, and removed segments are gone", (under) =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { manifest, wal } = yield* began(under)
          yield* wal.append([bytesOf("old")])
          yield* wal.switchSegment
          yield* wal.append([bytesOf("kept")])
          yield* manifest.publish({ logNumberMin: wal.segment(), lsnDurable: wal.syncedLsn() })
          assert.strictEqual(wal.stats().segments, 2)
          yield* wal.removeBelow(wal.segment())
          assert.strictEqual(wal.stats().segments, 1)
          yield* wal.seal
          yield* manifest.publish({ cleanShutdown: { lastLsn: wal.lastLsn(), lastSequence: 7 } })
        })
      )
      const { manifest, wal } = yield* under.open
      const { groups, report } = yield* replayed(wal)
      assert.deepStrictEqual(groups, ["kept"])
      assert.deepInclude(report, { segments: 1, groups: 1, bytes: 4, tailDropped: undefined })
      assert.strictEqual(manifest.state().cleanShutdown?.lastLsn, report.lastLsn)
    })
  )
}

const failures = (use: Use): void => {
  use("4. replay stops at a torn tail without an error and reports it", (under) =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { wal } = yield* began(under)
          yield* wal.append([bytesOf("whole")])
          yield* wal.append([bytesOf("torn-tail")])
        })
      )
      yield* under.flipBitAt("torn-tail")
      const { wal } = yield* under.open
      const { groups, report } = yield* replayed(wal)
      assert.deepStrictEqual(groups, ["whole"])
      assert.match(report.tailDropped?.reason ?? "", /checksum/)
      assert.strictEqual(report.tailDropped?.bytes, 36 + 9 + 4)
    })
  )

  use("4. damage that a later frame or the manifest promises to be durable is Corruption", (under) =>
    Effect.gen(function* () {
      const promises = [(files: Session) => files.wal.mark, (files: Session) => closeCleanly(files)]
      for (const [index, promise] of promises.entries()) {
        const text = `promised ${index}`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const files = yield* began(under)
            yield* files.wal.append([bytesOf(text)])
            yield* files.wal.sync
            yield* promise(files)
          })
        )
        yield* under.flipBitAt(text)
        const before = yield* under.listing
        const opened = Effect.flatMap(under.open, ({ wal }) => replayed(wal))
        assert.strictEqual(yield* tagOf(Effect.scoped(opened)), "Corruption")
        assert.strictEqual(yield* under.listing, before)
        yield* under.flipBitAt(text.replace("p", "q"))
      }
    })
  )

  use(
    "5. an append that fails with DiskFull or Io wrote nothing that will replay, and a later one may succeed",
    (under) =>
      Effect.gen(function* () {
        const { failNext } = under
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { wal } = yield* began(under)
            yield* wal.append([bytesOf("one")])
            for (const append of [later, now]) {
              for (const [code, accepted, tag] of [
                ["ENOSPC", 0, "DiskFull"],
                ["ENOSPC", 20, "DiskFull"],
                ["EIO", 45, "Io"]
              ] as const) {
                failNext("append", code, accepted)
                assert.strictEqual(yield* tagOf(append(wal, "refused")), tag)
                yield* append(wal, code)
              }
            }
            yield* wal.sync
          })
        )
        const codes = ["ENOSPC", "ENOSPC", "EIO"]
        assert.deepStrictEqual(yield* texts(under.open), ["one", ...codes, ...codes])
      })
  )

  use(
    "5. one that fails with CommitOutcomeUnknown, and a sync that fails, end the log: every later call fails Poisoned",
    (under) =>
      Effect.gen(function* () {
        const { failNext } = under
        for (const [operation, append] of [
          ["append", later],
          ["append", now],
          ["sync", later]
        ] as const) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { wal } = yield* began(under)
              yield* wal.append([bytesOf("before")])
              failNext(operation, "EIO", 1000)
              const failed = operation === "sync" ? wal.sync : append(wal, "unknown")
              assert.strictEqual(yield* tagOf(failed), "CommitOutcomeUnknown")
              const before = yield* under.listing
              for (const call of [later(wal, "x"), now(wal, "x"), wal.sync, wal.switchSegment, wal.mark, wal.seal]) {
                assert.strictEqual(yield* tagOf(call), "Poisoned")
              }
              yield* wal.removeBelow(2 ** 40)
              assert.strictEqual(yield* under.listing, before)
            })
          )
        }
      })
  )
}
