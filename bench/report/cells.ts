// What was measured, as the report reads it: one cell for each engine, row, mode and loop.
import type { Driver } from "../drivers/driver.ts"
import type { Measure, Row, Scale } from "../workloads/workload.ts"

export interface Engine {
  readonly name: string
  readonly driver: Driver
}

export interface Figure extends Measure {
  readonly engine: string
}

export interface Failure {
  readonly engine: string
  readonly group: string
  readonly message: string
}

export interface Results {
  readonly engines: ReadonlyArray<Engine>
  readonly rows: ReadonlyArray<Row>
  readonly scale: Scale
  readonly figures: ReadonlyArray<Figure>
  /** Of processes whose times do not count: bytes for each operation. */
  readonly allocations: ReadonlyArray<Figure>
  readonly failures: ReadonlyArray<Failure>
}

export interface Cell {
  readonly engine: string
  readonly row: string
  readonly mode: string
  readonly loop: string
  readonly values: ReadonlyArray<number>
  readonly median: number
  readonly least: number
  readonly most: number
  /** The most of all rounds. */
  readonly peakBytes: number | undefined
  readonly bytesEach: number | undefined
}

export const subject = "strata"

export const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const nameOf = ({ engine, loop, mode, row }: Pick<Cell, "engine" | "loop" | "mode" | "row">): string =>
  [engine, row, mode, loop].join("\0")

export const cellsOf = ({ allocations, figures }: Pick<Results, "allocations" | "figures">): ReadonlyArray<Cell> => {
  const allocated = Map.groupBy(allocations, nameOf)
  return Array.from(Map.groupBy(figures, nameOf).values(), (same) => {
    const { engine, loop, mode, row } = same[0]!
    const values = same.map(({ value }) => value)
    const peaks = same.flatMap(({ peakBytes }) => (peakBytes === undefined ? [] : [peakBytes]))
    const bytes = (allocated.get(nameOf(same[0]!)) ?? []).flatMap(({ bytesEach }) =>
      bytesEach === undefined ? [] : [bytesEach]
    )
    return {
      engine,
      row,
      mode,
      loop,
      values,
      median: median(values),
      least: Math.min(...values),
      most: Math.max(...values),
      peakBytes: peaks.length === 0 ? undefined : Math.max(...peaks),
      bytesEach: bytes.length === 0 ? undefined : median(bytes)
    }
  })
}

/** How many times as good: above 1, the first is better. */
export const ratioOf = (cell: Cell, other: Cell, unit: Row["unit"]): number =>
  unit === "MB/s" ? cell.median / other.median : other.median / cell.median

export const fastest = (cells: ReadonlyArray<Cell>): Cell | undefined =>
  cells.reduce<Cell | undefined>(
    (best, cell) => (best === undefined || cell.median < best.median ? cell : best),
    undefined
  )
