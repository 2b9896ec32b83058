// Power cuts in the life of an encrypted database, from its creation on: after each call of the disk, every image that
// can be left opens with the key and holds what was promised; without the key, or with another, it opens only where
// there is no database yet. Cuts amid changes of keys are in test/keyRotation*.test.ts.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Reason } from "../src/services/DatabaseError.ts"
import { type Opened, smallOptions } from "./support/opened.ts"
import { contentsAfter, cuttingDisk, distinct, type Image, refusalOf, simulate, using } from "./support/scenario.ts"
import { SimKeys } from "./support/simKeys.ts"

const keys = new SimKeys(3)
const options = { ...smallOptions, valueThreshold: 128, directValueBytesMin: 512 }
const withKey = (master: number) => ({ ...options, encryption: keys.layer(master) })

const large = "v".repeat(600)
const valueOf = (index: number): string => (index % 5 === 4 ? `${large}${index}` : `value ${index}`)

/** Promises its writes one by one. */
const life = ({ database, maintenance }: Opened, state: { promised: number }) =>
  Effect.gen(function* () {
    for (let index = 0; index < 8; index++) {
      yield* database.set(`key ${index}`, valueOf(index))
      state.promised = index + 1
      if (index % 4 === 3) yield* maintenance.flush
    }
    yield* maintenance.compact()
  })

const isDatabase = (image: Image): boolean => [...image.keys()].some((path) => /\/(current|keyring)-/.test(path))

describe("an encrypted database whose power fails", () => {
  it("opens with its key and holds what was promised, and with nothing else", () => {
    const { cuts, device, state } = cuttingDisk()
    simulate(using(device, (opened) => life(opened, state), withKey(1)))
    simulate(using(device, ({ database }) => database.set("last", "1"), withKey(1)))
    const images = distinct(cuts)
    assert.isAbove(images.length, 200)
    const refused = new Map<string, number>()
    const count = (reason: Reason | undefined, where: string, image: Image) => {
      if (reason === undefined) return assert.isFalse(isDatabase(image), `${where}: opened without its key`)
      refused.set(reason._tag, (refused.get(reason._tag) ?? 0) + 1)
    }
    for (const [ordinal, { image, promised, where }] of images.entries()) {
      const found = contentsAfter(image, withKey(1))
      for (let index = 0; index < promised; index++) {
        assert.strictEqual(found[`key ${index}`], valueOf(index), `${where}: key ${index} of ${promised}`)
      }
      if (promised > 0 && ordinal % 8 > 0) continue
      count(refusalOf(image, options), where, image)
      const mismatch = refusalOf(image, withKey(2))
      if (mismatch === undefined) assert.strictEqual(promised, 0, where)
      else refused.set(mismatch._tag, (refused.get(mismatch._tag) ?? 0) + 1)
    }
    assert.sameMembers([...refused.keys()], ["EncryptionKeyRequired", "EncryptionKeyMismatch"])
  }, 120_000)
})
