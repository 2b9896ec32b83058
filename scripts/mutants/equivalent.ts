// Mutants that no test can kill, for what they take away has no effect that anybody could see. One whose code is not
// there any more is reported.
import type { Mutant } from "./find.ts"

interface Equivalent {
  readonly file: string
  /** The code, as the list of mutants shows it. */
  readonly was: string
  readonly why: string
}

const equivalents: ReadonlyArray<Equivalent> = []

const isOf = (mutant: Mutant, { file, was }: Equivalent): boolean => mutant.file === file && mutant.was === was

export const withoutEquivalent = (
  mutants: ReadonlyArray<Mutant>
): { readonly mutants: ReadonlyArray<Mutant>; readonly missing: ReadonlyArray<string> } => ({
  mutants: mutants.filter((mutant) => !equivalents.some((one) => isOf(mutant, one))),
  missing: equivalents
    .filter((one) => !mutants.some((mutant) => isOf(mutant, one)))
    .map(({ file, was }) => `${file}: ${was} (equivalent)`)
})
