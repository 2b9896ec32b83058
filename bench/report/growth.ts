// Does a cost grow faster than log n? From the smallest to the largest database, a loop may become slower by what log n
// grows, times what the same loop of a bare `Map` became slower by: that has no order and no disk, and its growth is
// what the processor's caches and the larger heap cost.
import type { Scale } from "../workloads/workload.ts"
import { type Cell, subject } from "./cells.ts"

export interface Point {
  readonly name: string
  readonly keys: (scale: Scale) => number
}

export interface Growth {
  readonly question: string
  readonly loop: string
  /** In the order of the points; nothing where it was not measured. */
  readonly medians: ReadonlyArray<number | undefined>
  readonly factor: number
  readonly logFactor: number
  /** 1 where the map has no such loop, or did not become slower. */
  readonly mapFactor: number
  readonly met: boolean
}

export const questions = ["get", "missing", "scan", "set"]

const floor = "map"

/** From the first point that was measured to the last. */
const grown = (values: ReadonlyArray<number | undefined>): { readonly from: number; readonly to: number } => ({
  from: values.findIndex((value) => value !== undefined),
  to: values.findLastIndex((value) => value !== undefined)
})

export const growthOf = (
  cells: ReadonlyArray<Cell>,
  { points, scale }: { readonly points: ReadonlyArray<Point>; readonly scale: Scale }
): ReadonlyArray<Growth> =>
  questions.flatMap((question) => {
    const of = (engine: string, loop?: string) =>
      points.map(
        ({ name }) =>
          cells.find(
            (cell) =>
              cell.engine === engine &&
              cell.row === `curve-${question}-${name}` &&
              (loop === undefined || cell.loop === loop)
          )?.median
      )
    const loops = new Set(
      cells
        .filter(({ engine, row }) => engine === subject && row.startsWith(`curve-${question}-`))
        .map(({ loop }) => loop)
    )
    const map = of(floor)
    return [...loops].flatMap((loop) => {
      const medians = of(subject, loop)
      const { from, to } = grown(medians)
      if (from < 0 || from === to) return []
      const factor = medians[to]! / medians[from]!
      const logFactor = Math.log(points[to]!.keys(scale)) / Math.log(points[from]!.keys(scale))
      const mapFactor = Math.max(1, (map[to] ?? 1) / (map[from] ?? map[to] ?? 1))
      return [{ question, loop, medians, factor, logFactor, mapFactor, met: factor <= logFactor * mapFactor }]
    })
  })
