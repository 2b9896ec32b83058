// Somebody moves blocks, frames and files of a database: within it, from another one with the same key or another, from
// a copy that went its own way, from an earlier time; plain and encrypted. See test/support/tamperings.ts and
// tamperMoves.ts for what has to come of it, and what is harmless by design. Takes about ten seconds; STRATA_TAMPER=1
// moves many more blocks.
import { assert, describe, it } from "@effect/vitest"
import type { OpenOptions } from "./support/opened.ts"
import { type Image, pathsOf, withFiles } from "./support/scenario.ts"
import { SimKeys } from "./support/simKeys.ts"
import { judge, observe, type Verdict } from "./support/tamperJudge.ts"
import { type Change, hasFrames, lastSegment } from "./support/tamperings.ts"
import {
  exchangedFiles,
  foreignFrames,
  missingFiles,
  movedBlocks,
  movedFrames,
  type Source
} from "./support/tamperMoves.ts"
import { blocksOf } from "./support/tamperParts.ts"
import { type Contents, makeTargets, type Target, type Targets } from "./support/tamperTarget.ts"

/** Of blocks, of each kind, from each database. */
const pairs = process.env.STRATA_TAMPER === "1" ? 100 : 8

const tried = (changes: Iterable<Change>, options: OpenOptions): number => {
  let count = 0
  for (const change of changes) {
    const verdict = judge(observe(change.image, options), change)
    assert.include(change.verdicts, verdict, change.where)
    count += 1
  }
  return count
}

interface Other {
  readonly name: string
  readonly targets: Targets
  readonly options: OpenOptions
}

const made = (mode: "plain" | "encrypted") => {
  const keys = (seed: number, master: number): OpenOptions =>
    mode === "plain" ? {} : { encryption: new SimKeys(seed).layer(master) }
  const options = keys(1, 1)
  const ours = makeTargets({ options, salt: "a", seed: 1 })
  const other = (name: string, seed: number, master: number, from?: Target): Other => {
    const salt = String.fromCharCode(96 + seed)
    const given = { options: keys(seed, master), salt, seed, ...(from === undefined ? {} : { from }) }
    return { name, targets: makeTargets(given), options: keys(10 + seed, master) }
  }
  const others = [other("the same key", 2, 1), other("another key", 3, 2)]
  return { options, ours, others, copy: other("a copy", 4, 1, ours.earlier) }
}

const sourceOf = (name: string, target: Target, options: OpenOptions): Source => ({
  name,
  target,
  blocks: blocksOf(target.image, options)
})

const without = (image: Image, kinds: ReadonlyArray<string>): Image =>
  withFiles(image, Object.fromEntries(kinds.flatMap((kind) => pathsOf(image, kind)).map((path) => [path, undefined])))

const only = (image: Image, kinds: ReadonlyArray<string>): Record<string, Uint8Array> =>
  Object.fromEntries(kinds.flatMap((kind) => pathsOf(image, kind)).map((path) => [path, image.get(path)!]))

for (const mode of ["plain", "encrypted"] as const) {
  describe(`what is moved (${mode})`, () => {
    const { copy, options, others, ours } = made(mode)
    const own = sourceOf("itself", ours.closed, options)
    const foreign = [...others, copy].map(({ name, options, targets }) => sourceOf(name, targets.closed, options))
    const written = { ...options, readOnly: false }

    it("blocks of tables and value files", () => {
      let count = 0
      for (const from of [own, ...foreign]) count += tried(movedBlocks(own, from, pairs), options)
      assert.isAbove(count, 100)
    }, 600_000)

    it("frames of logs and manifests", () => {
      let count = 0
      for (const name of ["closed", "crashed"] as const) {
        for (const path of [...ours[name].image.keys()].filter(hasFrames)) {
          count += tried(movedFrames(ours[name], path), options)
          for (const { name: from, targets } of [...others, copy]) {
            const source = { name: from, target: targets[name], blocks: new Map() }
            count += tried(foreignFrames(ours[name], path, source), options)
          }
        }
      }
      assert.isAbove(count, 150)
    })

    it("files that are missing, and files under other names and of other databases", () => {
      let count = 0
      for (const name of ["closed", "crashed"] as const) {
        count += tried(missingFiles(ours[name]), written)
        const images = [ours[name], ours.earlier, ...others.map(({ targets }) => targets[name])]
        for (const from of images) count += tried(exchangedFiles(ours[name], from), written)
      }
      assert.isAbove(count, 300)
    })

    it("files of a copy that went its own way", () => {
      for (const name of ["closed", "crashed"] as const) {
        const changes = [...exchangedFiles(ours[name], { ...copy.targets[name], name: copy.name })]
        assert.isAbove(tried(changes, written), 40)
      }
    })

    const after = (image: Image, where: string, contents: Contents): Verdict =>
      judge(observe(image, written), { where, contents, files: [], reasons: ["Tampered", "Corruption"] })

    it("marker and manifest of an earlier time", () => {
      const { closed, earlier } = ours
      const pair = only(earlier.image, ["current", "manifest"])
      const { contents, image } = closed
      assert.strictEqual(after(withFiles(image, pair), "beside the newest: leftovers", contents), "unseen")
      const instead = withFiles(without(image, ["current", "manifest"]), pair)
      assert.strictEqual(after(instead, "instead of the newest: its log is gone", contents), "refused")
      const rollback = withFiles(without(instead, ["log"]), only(earlier.image, ["log"]))
      assert.strictEqual(
        after(rollback, "with its log: a whole rollback, harmless by design", earlier.contents),
        "unseen"
      )
    })

    it("marker and manifest, and all but the tables, of a copy that went its own way", () => {
      const { image } = ours.closed
      const { contents, image: theirs } = copy.targets.closed
      for (const kinds of [
        ["current", "manifest"],
        ["current", "manifest", "log"],
        ["current", "manifest", "log", "value"]
      ]) {
        const mixed = withFiles(without(image, kinds), only(theirs, kinds))
        assert.notStrictEqual(after(mixed, kinds.join(), contents), "unseen", kinds.join())
      }
    })

    it("of a closed database, its last edit with the log's end: a crash, as its report says", () => {
      const { contents, image } = ours.closed
      const [manifest] = pathsOf(image, "manifest")
      const log = lastSegment(ours.closed)
      const cut = withFiles(image, {
        [manifest!]: image.get(manifest!)!.slice(0, -10),
        [log]: image.get(log)!.slice(0, -10)
      })
      const observed = observe(cut, options)
      assert.isTrue("recovery" in observed && !observed.recovery.clean && observed.recovery.tailDropped !== undefined)
      assert.strictEqual(judge(observed, { where: "cut", contents, files: [], reasons: [] }), "tail")
    })
  })
}
