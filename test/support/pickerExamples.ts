// Examples of choices: levels as text (levelPicture.ts) and what is chosen.
import { assert, it } from "@effect/vitest"
import type { Claim, PickerInput } from "../../src/internal/structure/compactionChoice.ts"
import { type CompactionLimits, compactionLimits } from "../../src/internal/structure/compactionLimits.ts"
import { choose } from "../../src/internal/structure/compactionPicker.ts"
import { keyOf, picture, type PictureTable, shown } from "./levelPicture.ts"

export interface Example {
  readonly name: string
  readonly levels: string
  readonly more?: Partial<PickerInput<PictureTable>>
  readonly limits?: Partial<CompactionLimits>
  readonly choice: string
}

export const examples = (all: ReadonlyArray<Example>): void =>
  it.each(all)("$name", ({ choice, levels, limits, more }) => {
    assert.strictEqual(shown(choose(picture(levels, more), { ...compactionLimits, ...limits })), choice)
  })

export const claim = (smallest: string, largest: string, [level, output]: readonly [number, number]): Claim => ({
  level,
  output,
  smallest: keyOf(smallest),
  largest: keyOf(largest)
})

const letters = Array.from("abcdefghijklmnopqrstuvwxyz", (letter) => `${letter}..${letter}:12`)

/** A bottom of 312 MiB, which needs no level between. */
export const bottom312 = `6 ${letters.join(" ")}`

/** A bottom of 600 MiB: one level between, which should hold 138 MiB. */
export const bottom600 = "6 a..f:150 g..l:150 m..r:150 s..z:150"
