// The contract of `ValueLog`, one test for each numbered invariant in the contract's words.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Scope, Stream } from "effect"
import type { ValueFileMeta } from "../../src/services/Manifest.ts"
import type { ValueLogService } from "../../src/services/ValueLog.ts"
import { Dice } from "../internal/format/support.ts"
import { reasonOf, rewrite } from "../support/tables.ts"
import { ownerOf, type PlainValue, randomValues } from "../support/valueFiles.ts"
import { patterned, storedOf, valuesOf, writeValues } from "../support/valueLogs.ts"
import { checkRead, names, onlyFile, type Use, type ValueLogUnderTest } from "../support/valueLogUnderTest.ts"
import { writing } from "./valueWriterSuite.ts"

export const valueLogSuite = (
  layerName: string,
  make: Effect.Effect<ValueLogUnderTest, unknown, Scope.Scope>
): void => {
  const use: Use = (name, body) => it.live(name, () => Effect.flatMap(make, body))
  describe(`ValueLog (${layerName})`, () => {
    reading(use)
    checking(use)
    keeping(use)
    writing(use)
    verifying(use)
  })
}

const written = ({ directory, disk }: ValueLogUnderTest, values: ReadonlyArray<PlainValue>, number = 7) =>
  writeValues(disk, directory, { number, values })

const sizes = [0, 1, 1023, 1024, 1025, 64 * 1024, 64 * 1024 + 1, 256 * 1024 - 30, 256 * 1024, 600_000, 3 * 1024 * 1024]

const reading = (use: Use): void => {
  use("1. a value reads back as it was written, of whatever length", (under) =>
    Effect.gen(function* () {
      const plain = sizes.map((length, index) => ({
        id: 7,
        index: 3 * index,
        key: "k".repeat(1 + index * 300),
        sequence: index,
        value: patterned(length, index)
      }))
      const meta = yield* written(under, plain)
      const file = (yield* under.values()).handle(meta)
      for (const one of plain) yield* checkRead(file, one)
      const many = yield* file.readMany([...plain].reverse().map(storedOf))
      for (const [at, value] of many.entries()) assert.isTrue(Buffer.from(value).equals(plain.at(-1 - at)!.value))
    })
  )

  use("1. any values read back, one by one and in batches of any order", (under) =>
    Effect.forEach([1, 2, 3, 4], (seed) =>
      Effect.gen(function* () {
        const dice = new Dice(seed)
        const plain = randomValues(dice, [1, 20, 3000, 40_000], 400)
        const meta = yield* written(under, plain, seed)
        const options = { cacheBytes: dice.pick([0, 10_000, 1024 * 1024]) }
        const file = (yield* under.values(options)).handle(meta)
        for (let count = 0; count < 30; count++) {
          const some = Array.from({ length: dice.below(30) }, () => dice.pick(plain))
          const read = yield* file.readMany(some.map(storedOf))
          assert.deepStrictEqual(
            read.map((value) => Buffer.from(value).toString("base64")),
            some.map(({ value }) => Buffer.from(value).toString("base64")),
            `seed ${seed}`
          )
          yield* checkRead(file, dice.pick(plain))
        }
        assert.deepStrictEqual((yield* under.values()).handle(meta).meta, meta)
      })
    )
  )

  use("1. values of a caller stay as they are, whatever is read later", (under) =>
    Effect.gen(function* () {
      const plain = valuesOf(7, 50, 300)
      const file = (yield* under.values()).handle(yield* written(under, plain))
      const first = yield* file.readMany(plain.map(storedOf))
      const one = yield* file.read(storedOf(plain[9]!).handle, storedOf(plain[9]!).owner)
      one.fill(0xee)
      yield* file.readMany([...plain].reverse().map(storedOf))
      for (const [at, value] of first.entries()) assert.deepStrictEqual(value, plain[at]!.value)
      const [some, twice] = yield* file.readMany([plain[3]!, plain[3]!].map(storedOf))
      some!.fill(0xee)
      assert.deepStrictEqual(twice, plain[3]!.value)
    })
  )

  use("3. a value is given out only for its key and its sequence", (under) =>
    Effect.gen(function* () {
      const plain = valuesOf(7, 5, 2000)
      plain[4] = { ...plain[4]!, sequence: 0 }
      const path = under.disk.join(under.directory, "value-0000000000000007.val")
      const file = (yield* under.values()).handle(yield* written(under, plain))
      const { handle, owner } = storedOf(plain[2]!)
      const others = [ownerOf("key-3", owner.sequence), ownerOf("key-", owner.sequence), ownerOf("key-2", 1001)]
      for (const other of others) {
        assert.deepInclude(yield* reasonOf(file.read(handle, other)), { _tag: "Corruption", file: path })
        assert.deepInclude(yield* reasonOf(Stream.runCollect(file.stream(handle, other))), { _tag: "Corruption" })
        assert.deepInclude(
          yield* reasonOf(
            file.readMany([
              { handle, owner },
              { handle, owner: other }
            ])
          ),
          {
            _tag: "Corruption",
            file: path
          }
        )
      }
      for (const length of [1999, 2001, 0]) {
        assert.deepInclude(yield* reasonOf(file.read({ ...handle, length }, owner)), { _tag: "Corruption", file: path })
      }
      for (const missing of [
        { ...handle, index: 5 },
        { ...handle, file: 8 }
      ]) {
        assert.deepInclude(yield* reasonOf(file.read(missing, owner)), { _tag: "Corruption", file: path })
      }
      // Written before its commit had a sequence: for the key alone.
      const direct = storedOf(plain[4]!)
      assert.deepStrictEqual(yield* file.read(direct.handle, ownerOf("key-4", 77)), plain[4].value)
      assert.strictEqual((yield* reasonOf(file.read(direct.handle, ownerOf("key-3", 77))))._tag, "Corruption")
    })
  )
}

const checking = (use: Use): void => {
  use("2. damage is Corruption with file and offset, and other values stay readable", (under) =>
    Effect.gen(function* () {
      const plain = [...valuesOf(7, 600, 700), { ...valuesOf(7, 1, 800_000)[0]!, index: 600, key: "long" }]
      const meta = yield* written(under, plain)
      const path = yield* onlyFile(under)
      // In the third value, and in the second piece of the last.
      const places = [96 + 2 * (4 + 700 + 8 + 12 + 4) + 300, 96 + 600 * 730 + 400_000]
      yield* rewrite(under.disk, path, (bytes) => {
        for (const place of places) bytes[place]! ^= 0x10
        return bytes
      })
      const values = yield* under.values()
      const file = values.handle(meta)
      const damaged: Array<number> = []
      for (const [at, one] of plain.entries()) {
        const exit = yield* Effect.exit(checkRead(file, one))
        if (Exit.isSuccess(exit)) continue
        damaged.push(at)
        const reason = yield* reasonOf(file.read(storedOf(one).handle, storedOf(one).owner))
        assert.deepInclude(reason, { _tag: "Corruption", file: path })
        assert.match(
          reason.message,
          new RegExp(`value-0000000000000007.val:${(reason as { offset: number }).offset}: `)
        )
      }
      assert.deepStrictEqual(damaged, [2, 600])
      const report = yield* values.verify(meta)
      assert.strictEqual(report.values, 599)
      assert.lengthOf(report.damage, 2)
      assert.isBelow(report.damage[0]!.offset, places[0]!)
      assert.isBelow(places[0]! - report.damage[0]!.offset, 750)
      assert.isBelow(places[1]! - report.damage[1]!.offset, 270_000)
    })
  )

  use("2. with any byte changed, a read notices it or has no use for it", (under) =>
    Effect.gen(function* () {
      const plain = valuesOf(7, 6, 30)
      const meta = yield* written(under, plain)
      const path = yield* onlyFile(under)
      for (let place = 0; place < meta.bytes; place++) {
        const flip = (bytes: Uint8Array) => {
          bytes[place]! ^= 1 << (place % 8)
          return bytes
        }
        yield* rewrite(under.disk, path, flip)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const values = yield* under.values()
            const file = values.handle(meta)
            for (const one of plain) {
              const { handle, owner } = storedOf(one)
              const exit = yield* Effect.exit(file.read(handle, owner))
              if (Exit.isSuccess(exit)) assert.deepStrictEqual(exit.value, one.value, `byte ${place}`)
              else assert.deepInclude(yield* reasonOf(exit), { _tag: "Corruption", file: path })
            }
            const { damage } = yield* values.verify(meta)
            assert.isAbove(damage.length, 0, `byte ${place}`)
            assert.strictEqual(damage[0]!.file, path)
          })
        )
        yield* rewrite(under.disk, path, flip)
      }
    })
  )

  use("2. a file that is not the one the manifest pins is refused", (under) =>
    Effect.gen(function* () {
      const plain = valuesOf(7, 6, 30)
      const meta = yield* written(under, plain)
      const path = yield* onlyFile(under)
      const { handle, owner } = storedOf(plain[0]!)
      const wrong: ReadonlyArray<ValueFileMeta> = [
        { ...meta, footerCrc: meta.footerCrc ^ 1 },
        { ...meta, fileId: meta.fileId.map((byte) => byte ^ 1) },
        { ...meta, epoch: meta.epoch + 1 },
        { ...meta, bytes: meta.bytes - 1 },
        { ...meta, sections: [{ ...meta.sections[0]!, bytes: 1 }] }
      ]
      for (const other of wrong) {
        const file = (yield* under.values()).handle(other)
        assert.deepInclude(yield* reasonOf(file.read(handle, owner)), { _tag: "Corruption", file: path })
      }
    })
  )
}

const keeping = (use: Use): void => {
  use("4. attach and handle read nothing, and what is wrong with a file fails what is read of it", (under) =>
    Effect.gen(function* () {
      const [first, second] = [valuesOf(7, 5, 100), valuesOf(8, 5, 100)]
      const metas = [yield* written(under, first, 7), yield* written(under, second, 8)]
      const path = under.disk.join(under.directory, (yield* names(under))[0]!)
      yield* rewrite(under.disk, path, (bytes) => bytes.fill(0))
      const values = yield* under.values()
      const [damaged, sound] = yield* values.attach(metas)
      assert.strictEqual(values.openFiles(), 0)
      assert.strictEqual(values.handle(metas[0]!), damaged)
      for (let attempt = 0; attempt < 2; attempt++) {
        const { handle, owner } = storedOf(first[0]!)
        assert.deepInclude(yield* reasonOf(damaged!.read(handle, owner)), { _tag: "Corruption", file: path })
        yield* checkRead(sound!, second[attempt]!)
      }
    })
  )

  use("4. a missing file is Corruption, and Stale in a read-only database", (under) =>
    Effect.gen(function* () {
      const plain = valuesOf(7, 5, 100)
      const meta = yield* written(under, plain)
      const path = yield* onlyFile(under)
      yield* under.disk.remove(path)
      const { handle, owner } = storedOf(plain[0]!)
      for (const use of [
        (values: ValueLogService) => values.attach([meta]),
        (values: ValueLogService) => values.handle(meta).read(handle, owner)
      ]) {
        const reason = yield* reasonOf(Effect.asVoid(use(yield* under.values()) as Effect.Effect<unknown, never>))
        assert.deepInclude(reason, { _tag: "Corruption", file: path })
        assert.match(reason.message, /value file .* named by the manifest is missing/)
        const readOnly = yield* under.values({ readOnly: true })
        assert.strictEqual((yield* reasonOf(use(readOnly) as Effect.Effect<unknown, never>))._tag, "Stale")
      }
    })
  )

  use("4. attach refuses a file of another size", (under) =>
    Effect.gen(function* () {
      const meta = yield* written(under, valuesOf(7, 5, 100))
      const path = yield* onlyFile(under)
      yield* rewrite(under.disk, path, (bytes) => bytes.slice(0, -1))
      const reason = yield* reasonOf((yield* under.values()).attach([meta]))
      assert.deepInclude(reason, { _tag: "Corruption", file: path, offset: meta.bytes - 1 })
    })
  )

  use("5. files count among the openFilesMax, and what was given up is read again", (under) =>
    Effect.gen(function* () {
      const all: Array<{ readonly meta: ValueFileMeta; readonly plain: Array<PlainValue> }> = []
      for (let number = 1; number <= 20; number++) {
        const plain = valuesOf(number, 10, 50)
        all.push({ meta: yield* written(under, plain, number), plain })
      }
      const values = yield* under.values({ openFilesMax: 8, cacheBytes: 0 })
      const dice = new Dice(5)
      const readSome = Effect.gen(function* () {
        for (let count = 0; count < 40; count++) {
          const { meta, plain } = dice.pick(all)
          yield* checkRead(values.handle(meta), dice.pick(plain))
          assert.isAtMost(values.openFiles(), 8)
        }
      })
      yield* Effect.all(
        Array.from({ length: 12 }, () => readSome),
        { concurrency: "unbounded" }
      )
    })
  )

  use("6. remove waits for reads that are under way, and then removes the file", (under) =>
    Effect.gen(function* () {
      const plain = valuesOf(7, 300, 1000)
      const values = yield* under.values()
      const meta = yield* written(under, plain)
      const file = values.handle(meta)
      const reads = yield* Effect.forkChild(file.readMany(plain.map(storedOf)), { startImmediately: true })
      yield* values.remove(meta)
      const exit = yield* Fiber.await(reads)
      if (Exit.isSuccess(exit)) assert.lengthOf(exit.value, 300)
      else assert.strictEqual((yield* reasonOf(exit))._tag, "Closed")
      assert.lengthOf(yield* names(under), 0)
      const { handle, owner } = storedOf(plain[0]!)
      assert.strictEqual((yield* reasonOf(file.read(handle, owner)))._tag, "Closed")
      // It is gone already.
      yield* values.remove(meta)
    })
  )
}

const verifying = (use: Use): void => {
  use("verify counts the values of all sections", (under) =>
    Effect.gen(function* () {
      const plain = randomValues(new Dice(9), [1, 20, 3000, 300_000], 700)
      const meta = yield* written(under, plain)
      const values = yield* under.values()
      assert.deepStrictEqual(yield* values.verify(meta), { values: 700, damage: [] })
      assert.strictEqual(values.openFiles(), 0, "by a handle of its own")
    })
  )
}
