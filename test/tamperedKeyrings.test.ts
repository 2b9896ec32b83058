// Somebody puts keyrings back, exchanges them and breaks them: of an earlier time, of another database, of a copy that
// went its own way. What comes of it is the right contents, or why not, never other contents.
//
// Harmless by design:
//
//   beside the newest    a keyring of a lower number is a leftover: the highest whole one counts
//
// Instead of the newest it is noticed, for the manifest knows the newest one's number. Only with an older manifest
// beside it is it not: that is all of an older database, put back.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseError, Reason } from "../src/services/DatabaseError.ts"
import { type Opened, visibleImage } from "./support/opened.ts"
import { flipped, type Image, pathsOf, simulate, stateOf, using, withFiles } from "./support/scenario.ts"
import { masterKey, SimKeys } from "./support/simKeys.ts"
import { judge, observe } from "./support/tamperJudge.ts"
import { type Contents, makeTargets, targetOptions } from "./support/tamperTarget.ts"

const started = makeTargets({ options: { encryption: new SimKeys(1).layer(1) }, salt: "a", seed: 1 }).closed

const goneOn = (
  from: Image,
  keys: { readonly seed: number; readonly master: number },
  body: (opened: Opened) => Effect.Effect<unknown, DatabaseError>
) => {
  const device = SimDisk.make({ image: from })
  const encryption = new SimKeys(keys.seed).layer(keys.master)
  const script = using(device, (opened) => Effect.andThen(body(opened), stateOf(opened.database)), {
    ...targetOptions,
    encryption
  })
  const contents = simulate(script)
  return { image: visibleImage(device), contents }
}

/** With another master key, and then with another data key too. */
const master = goneOn(started.image, { seed: 2, master: 1 }, ({ maintenance }) =>
  maintenance.rotateMasterKey(masterKey(2))
)
const data = goneOn(master.image, { seed: 3, master: 2 }, ({ maintenance }) =>
  maintenance.rotateDataKey({ full: true })
)
/** A copy that has made a data key of its own, of the same generation. */
const copy = goneOn(master.image, { seed: 4, master: 2 }, ({ maintenance }) =>
  maintenance.rotateDataKey({ full: true })
)
const other = makeTargets({ options: { encryption: new SimKeys(5).layer(2) }, salt: "b", seed: 2 }).closed

const ringOf = (image: Image): readonly [path: string, bytes: Uint8Array] => {
  const [path, ...others] = pathsOf(image, "keyring")
  assert.deepStrictEqual(others, [])
  return [path!, image.get(path!)!]
}

/** `right`, or why it does not open or not read. */
const outcome = (image: Image, key: number, contents: Contents): "right" | Reason["_tag"] => {
  const observed = observe(image, { encryption: new SimKeys(9).layer(key), readOnly: false })
  const reasons: ReadonlyArray<Reason["_tag"]> = ["Tampered", "EncryptionKeyMismatch"]
  const verdict = judge(observed, { where: `key ${key}`, contents, files: [], reasons })
  if ("refusal" in observed) return observed.refusal._tag
  assert.strictEqual(verdict, "unseen")
  return "right"
}

const both = (image: Image, contents: Contents) => [outcome(image, 1, contents), outcome(image, 2, contents)]

const mismatch = "EncryptionKeyMismatch"

describe("keyrings", () => {
  it("that nobody touched open with the newest master key", () => {
    assert.deepStrictEqual(both(started.image, started.contents), ["right", mismatch])
    for (const { contents, image } of [master, data, copy])
      assert.deepStrictEqual(both(image, contents), [mismatch, "right"])
  })

  it("of an earlier time, beside the newest, are leftovers", () => {
    const [path, bytes] = ringOf(started.image)
    for (const { contents, image } of [master, data]) {
      assert.deepStrictEqual(both(withFiles(image, { [path]: bytes }), contents), [mismatch, "right"])
    }
  })

  it("of an earlier time, instead of the newest, open nothing", () => {
    const [old, bytes] = ringOf(started.image)
    const instead = ({ image }: typeof master) => withFiles(image, { [ringOf(image)[0]]: undefined, [old]: bytes })
    assert.deepStrictEqual(both(instead(master), master.contents), ["Tampered", mismatch])
    assert.deepStrictEqual(both(instead(data), data.contents), ["Tampered", mismatch])
    // Broken instead of gone.
    const [path, newest] = ringOf(data.image)
    const broken = withFiles(data.image, { [path]: flipped(newest, 200), [old]: bytes })
    assert.deepStrictEqual(both(broken, data.contents), ["Tampered", mismatch])
  })

  it("under the name of another are no keyrings", () => {
    const [path] = ringOf(data.image)
    for (const { image } of [started, master]) {
      const renamed = withFiles(data.image, { [path]: ringOf(image)[1] })
      assert.deepStrictEqual(both(renamed, data.contents), ["Tampered", "Tampered"])
    }
  })

  it("of another database with the same master key are Tampered", () => {
    const [path] = ringOf(data.image)
    const [theirs, bytes] = ringOf(other.image)
    const exchanged = withFiles(data.image, { [path]: undefined, [theirs]: bytes })
    assert.deepStrictEqual(both(exchanged, data.contents), [mismatch, "Tampered"])
  })

  it("of a copy that made a data key of its own are Tampered", () => {
    const [path] = ringOf(data.image)
    const [theirs, bytes] = ringOf(copy.image)
    const exchanged = withFiles(data.image, { [path]: undefined, [theirs]: bytes })
    assert.deepStrictEqual(both(exchanged, data.contents), [mismatch, "Tampered"])
  })
})
