// Files that somebody changes: a bit, a length, a forged header, a block or a file that is moved, plain and encrypted
// (`support/tamperings.ts`, `tamperMoves.ts`). A round has a share of all changes of one database.
import { assert } from "@effect/vitest"
import type { OpenOptions } from "../support/opened.ts"
import { SimKeys } from "../support/simKeys.ts"
import { judge, observe } from "../support/tamperJudge.ts"
import { exchangedFiles, missingFiles, movedBlocks, movedFrames } from "../support/tamperMoves.ts"
import { type Change, flips, forgeries, hasFrames, lengths } from "../support/tamperings.ts"
import { blocksOf, framesOf } from "../support/tamperParts.ts"
import { makeTargets, type Target } from "../support/tamperTarget.ts"
import type { Campaign, Tally } from "./campaign.ts"

const changesPerRound = 300

/** All bytes of the files, in the kinds of changes that a file alone can have. */
const changesOf = function* (target: Target, options: OpenOptions): Generator<Change> {
  const blocks = blocksOf(target.image, options)
  for (const [path, bytes] of target.image) {
    yield* flips(target, path, 1)
    yield* lengths(target, path, hasFrames(path) ? framesOf(path, bytes) : (blocks.get(path) ?? []))
    if (options.encryption !== undefined) yield* forgeries(target, path)
    if (hasFrames(path)) yield* movedFrames(target, path)
  }
}

const movesOf = function* (target: Target, options: OpenOptions): Generator<Change> {
  const source = { name: "itself", target, blocks: blocksOf(target.image, options) }
  if (target.name === "closed") yield* movedBlocks(source, source, 20)
}

const filesOf = function* (target: Target): Generator<Change> {
  yield* missingFiles(target)
  yield* exchangedFiles(target, target)
}

const tryAll = (changes: ReadonlyArray<Change>, options: OpenOptions, tally: Tally): void => {
  for (const change of changes) {
    const verdict = judge(observe(change.image, options), change)
    assert.include(change.verdicts, verdict, change.where)
    tally.add("tamperings")
    if (verdict === "tail") tally.reach("damage in the tail of a log, which is dropped and told")
    if (verdict === "refused") tally.reach("an open that refuses damaged files")
    if (verdict === "reads") tally.reach("a read that meets damage")
  }
}

/** Every n-th, so that a round has its share, from a place that the seed gives. */
const shareOf = function* (changes: Iterable<Change>, every: number, first: number): Generator<Change> {
  let index = 0
  for (const change of changes) if (index++ % every === first) yield change
}

export const tampering: Campaign = {
  name: "tampering",
  about: "files that somebody changes, cuts, forges or moves, plain and encrypted",
  weight: 4,
  round: async (seed, tally) => {
    const encryption = seed % 2 === 0 ? undefined : new SimKeys(1 + seed).layer(1)
    const options: OpenOptions = encryption === undefined ? {} : { encryption }
    const { closed, crashed } = makeTargets({ options, salt: "a", seed: 1 + (seed % 1000) })
    const target = seed % 4 < 2 ? closed : crashed
    const bytes = [...target.image.values()].reduce((sum, { length }) => sum + length, 0)
    const every = Math.ceil(bytes / changesPerRound)
    tryAll([...shareOf(changesOf(target, options), every, Math.floor(seed / 4) % every)], options, tally)
    tryAll([...shareOf(movesOf(target, options), 4, Math.floor(seed / 4) % 4)], options, tally)
    const written = { ...options, readOnly: false }
    tryAll([...shareOf(filesOf(target), 8, Math.floor(seed / 4) % 8)], written, tally)
  }
}
