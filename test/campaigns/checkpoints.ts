// Checkpoints that a power cut, an error of the disk or an interruption stops (`support/checkpointStrikes.ts`), with
// options at their extremes. A round has one checkpoint, and a share of what can happen to it.
import { Exit } from "effect"
import type { OptionsInput } from "../../src/services/Options.ts"
import {
  codes,
  cutCheckpoint,
  interruptedAt,
  judgeCut,
  strikeCheckpoint,
  struckAt,
  variantsOf
} from "../support/checkpointStrikes.ts"
import { smallOptions } from "../support/opened.ts"
import { Dice } from "../support/randomPlan.ts"
import { valueOptions } from "../support/valueKit.ts"
import type { Campaign, Tally } from "./campaign.ts"
import { sample } from "./sample.ts"
import { hashOf } from "../support/imageHash.ts"

const imagesPerRound = 80
const strikesPerRound = 12
const interruptionsPerRound = 6

const optionsOf = (dice: Dice): OptionsInput => ({
  ...smallOptions,
  ...(dice.chance(50) ? {} : { ...valueOptions, directValueBytesMin: dice.pick([41, 1000]) }),
  arenaBytes: dice.pick([1024, 2048, 4096]),
  blockBytes: dice.pick([64, 1024]),
  manifestBytesMax: dice.pick([256, 1024 * 1024]),
  flushOnCloseBytesMin: dice.pick([0, 1024 * 1024])
})

const cutAll = (options: OptionsInput, seed: number, tally: Tally): void => {
  const { before, images } = cutCheckpoint(options, seed)
  for (const cut of sample(images, imagesPerRound, seed)) {
    const isWhole = judgeCut(cut, before)
    tally.addImage(`${hashOf(cut.image)} ${cut.promised}`)
    tally.reach(isWhole ? "a checkpoint that is opened after a crash" : "a crash inside a checkpoint")
  }
}

export const checkpoints: Campaign = {
  name: "checkpoints",
  about: "checkpoints stopped by power cuts, errors of the disk and interruptions",
  weight: 3,
  round: async (seed, tally) => {
    const dice = new Dice(seed)
    const options = optionsOf(dice)
    cutAll(options, seed, tally)
    const { exit, first, last, log } = struckAt(undefined, () => false, options)
    if (Exit.isFailure(exit)) throw new Error(`seed ${seed}: a checkpoint failed`, { cause: exit.cause })
    const calls = log.slice(first, last)
    for (let count = 0; count < strikesPerRound; count++) {
      const { index, operation } = dice.pick(calls)
      const rule = { ...dice.pick(variantsOf(operation)), at: index, code: dice.pick(codes) }
      if (strikeCheckpoint(rule, options)) tally.reach("a checkpoint that fails on an error of the disk")
      tally.add("faults of checkpoints")
    }
    for (let count = 0; count < interruptionsPerRound; count++) {
      if (interruptedAt(dice.pick(calls).index, options)) tally.reach("an interrupted checkpoint")
      tally.add("interruptions")
    }
  }
}
