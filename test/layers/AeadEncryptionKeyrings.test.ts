// What keyrings may be found as: torn, changed, put back, of another database, left over, gone.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { crc32 } from "../../src/internal/format/checksum.ts"
import { writeU32 } from "../../src/internal/format/bytes.ts"
import { keyringFileName } from "../../src/internal/format/fileName.ts"
import { rawMaster, rotated } from "../support/encryption.ts"
import { reasonOf, tagOf } from "../support/fileSession.ts"
import {
  attach,
  attachTag,
  begun,
  directory,
  keep,
  Numbers,
  opens,
  ringBytes,
  ringNames,
  writeFile
} from "../support/keyChanges.ts"

describe("keyrings that are replaced", () => {
  it.live("are those of lower numbers: one of a higher number is of a writer that came later", () =>
    Effect.gen(function* () {
      const { allocate, disk, keys } = yield* begun(rawMaster(1))
      yield* writeFile(disk, keyringFileName(9), yield* ringBytes(disk, keyringFileName(1)))
      yield* rotated(keys, rawMaster(2), allocate)
      assert.deepStrictEqual(yield* ringNames(disk), [keyringFileName(2), keyringFileName(9)])
    })
  )
})

describe("keyrings that are found", () => {
  it.live("none, where the marker says that there was one: Tampered", () =>
    Effect.gen(function* () {
      const { disk } = yield* begun(rawMaster(1))
      yield* disk.remove(`${directory}/${keyringFileName(1)}`)
      const reason = yield* reasonOf(Effect.scoped(attach(disk, rawMaster(1))))
      assert.deepInclude(reason, { _tag: "Tampered", file: directory })
    })
  )

  it.live("with any byte changed: Tampered, and passed over if an older one is whole", () =>
    Effect.gen(function* () {
      const { allocate, disk, keys } = yield* begun(rawMaster(1))
      const older = yield* ringBytes(disk, keyringFileName(1))
      yield* rotated(keys, rawMaster(2), allocate)
      const newer = yield* ringBytes(disk, keyringFileName(2))
      for (let at = 0; at < newer.length; at++) {
        const damaged = newer.slice()
        damaged[at] ^= 1 << (at & 7)
        yield* writeFile(disk, keyringFileName(2), damaged)
        const reason = yield* reasonOf(Effect.scoped(attach(disk, rawMaster(2))))
        assert.deepInclude(reason, { _tag: "Tampered", file: `${directory}/${keyringFileName(2)}` }, `byte ${at}`)
      }
      for (const length of [0, 1, 95, 96, 100, newer.length - 1]) {
        yield* writeFile(disk, keyringFileName(2), newer.subarray(0, length))
        assert.strictEqual(yield* attachTag(disk, rawMaster(2)), "Tampered", `${length} bytes`)
      }
      yield* writeFile(disk, keyringFileName(1), older)
      assert.strictEqual(yield* attachTag(disk, rawMaster(1)), "success")
    })
  )

  it.live("with any byte changed and the checksums made right: Tampered, another key, or Unsupported", () =>
    Effect.gen(function* () {
      const { disk } = yield* begun(rawMaster(1))
      const ring = yield* ringBytes(disk, keyringFileName(1))
      const found = new Set<string>()
      for (let at = 0; at < ring.length - 4; at++) {
        if (at >= 92 && at < 96) continue
        const changed = ring.slice()
        changed[at] ^= 1 << (at & 7)
        writeU32(changed, 92, crc32(changed.subarray(0, 92)))
        writeU32(changed, ring.length - 4, crc32(changed.subarray(0, ring.length - 4)))
        yield* writeFile(disk, keyringFileName(1), changed)
        found.add(yield* attachTag(disk, rawMaster(1)))
      }
      assert.deepStrictEqual([...found].sort(), ["EncryptionKeyMismatch", "Tampered", "Unsupported"])
    })
  )

  it.live("an old one that was put back as the newest is passed over, and alone it is Tampered", () =>
    Effect.gen(function* () {
      const { allocate, disk, keys } = yield* begun(rawMaster(1))
      const old = yield* ringBytes(disk, keyringFileName(1))
      yield* rotated(keys, rawMaster(2), allocate)
      yield* writeFile(disk, keyringFileName(9), old)
      assert.strictEqual(yield* attachTag(disk, rawMaster(1)), "EncryptionKeyMismatch")
      assert.strictEqual(yield* attachTag(disk, rawMaster(2)), "success")
      yield* disk.remove(`${directory}/${keyringFileName(2)}`)
      assert.strictEqual(yield* attachTag(disk, rawMaster(1)), "Tampered")
    })
  )

  it.live("an old one without a data key: what is sealed with that key is Tampered", () =>
    Effect.gen(function* () {
      const { allocate, disk, ...keyed } = yield* begun(rawMaster(1))
      const old = yield* ringBytes(disk, keyringFileName(1))
      yield* keyed.keys.addDataKey({ sequence: 1 }, allocate)
      const kept = yield* keep(keyed, 1)
      yield* disk.remove(`${directory}/${keyringFileName(2)}`)
      yield* writeFile(disk, keyringFileName(1), old)
      assert.isFalse(yield* opens(yield* attach(disk, rawMaster(1)), kept))
    })
  )

  it.live("one of another database with the same key: its database id is another, and no file opens", () =>
    Effect.gen(function* () {
      const { disk, ...keyed } = yield* begun(rawMaster(1))
      const kept = yield* keep(keyed, 1)
      const other = yield* begun(rawMaster(1))
      yield* writeFile(disk, keyringFileName(1), yield* ringBytes(other.disk, keyringFileName(1)))
      const found = yield* attach(disk, rawMaster(1))
      assert.notDeepEqual(found.attached.databaseId, keyed.attached.databaseId)
      assert.isFalse(yield* opens(found, kept))
    })
  )

  it.live("larger than any keyring: it is not read", () =>
    Effect.gen(function* () {
      const { disk } = yield* begun(rawMaster(1))
      yield* writeFile(disk, keyringFileName(1), new Uint8Array(2 ** 20 + 1))
      assert.strictEqual(yield* attachTag(disk, rawMaster(1)), "Tampered")
    })
  )

  it.live("left by a creation that was not finished: a new database takes no notice of it", () =>
    Effect.gen(function* () {
      const { disk, ...first } = yield* begun(rawMaster(1))
      const { attached } = yield* attach(disk, rawMaster(2), {})
      assert.notDeepEqual(attached.databaseId, first.attached.databaseId)
      yield* attached.persist(new Numbers(5).allocate)
      assert.deepStrictEqual(yield* ringNames(disk), [keyringFileName(5)])
      assert.strictEqual(yield* attachTag(disk, rawMaster(1)), "EncryptionKeyMismatch")
    })
  )

  it.live("gone while a reader opens, as a writer changed it: Stale", () =>
    Effect.gen(function* () {
      const { disk } = yield* begun(rawMaster(1))
      const listing = {
        ...disk,
        open: (path: string) => Effect.andThen(Effect.ignore(disk.remove(path)), disk.open(path))
      }
      const reading = attach(listing, rawMaster(1), { sealedWith: 20, readOnly: true })
      assert.strictEqual(yield* tagOf(Effect.scoped(reading)), "Stale")
    })
  )
})
