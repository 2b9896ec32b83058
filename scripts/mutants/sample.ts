// Which mutants are tried when there is no time for all: one of each file first, then a second of each, and so on, so
// that a file with many of them does not stand for the rest.
import type { SeededRandom } from "../../src/internal/structure/random.ts"
import type { Mutant } from "./find.ts"

const shuffled = <A>(items: ReadonlyArray<A>, random: SeededRandom): ReadonlyArray<A> =>
  items
    .map((item) => [random.next(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)

export const sampleOf = (
  mutants: ReadonlyArray<Mutant>,
  count: number,
  random: SeededRandom
): ReadonlyArray<Mutant> => {
  const files = Map.groupBy(shuffled(mutants, random), ({ file }) => file)
  const rounds = [...files.values()].flatMap((of) => of.map((mutant, round) => [round, mutant] as const))
  return rounds
    .sort(([a], [b]) => a - b)
    .slice(0, count)
    .map(([, mutant]) => mutant)
}
