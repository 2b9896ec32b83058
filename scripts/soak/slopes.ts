// Whether a row of measurements grows: the slope of the line that fits them best, after a time of warming up, and what
// it comes to over the time that was measured. Small growths are allowed whatever they are in an hour: a short run has
// little else.

/** So many seconds after the start, and the value then. */
export type Point = readonly [seconds: number, value: number]

export interface Limit {
  /** Of the mean, in an hour. */
  readonly growthPerHourMax: number
  /** A growth below this, over all of the time, is none. */
  readonly growthMin: number
}

export interface Growth {
  readonly mean: number
  readonly perHour: number
  /** Over the time that was measured. */
  readonly growth: number
  readonly isOver: boolean
}

const warmUpShare = 0.25
const warmUpSecondsMax = 600

/** Without those of the time in which caches fill and code is compiled. */
export const afterWarmUp = <A>(rows: ReadonlyArray<A>, secondsOf: (row: A) => number): ReadonlyArray<A> => {
  const last = rows.at(-1)
  if (last === undefined) return rows
  const from = Math.min(warmUpSecondsMax, secondsOf(last) * warmUpShare)
  return rows.filter((row) => secondsOf(row) >= from)
}

export const growthOf = (points: ReadonlyArray<Point>, { growthMin, growthPerHourMax }: Limit): Growth => {
  const count = points.length
  const meanOf = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / count
  if (count < 2) return { mean: count === 0 ? 0 : meanOf(1), perHour: 0, growth: 0, isOver: false }
  const [seconds, mean] = [meanOf(0), meanOf(1)]
  const spread = points.reduce((sum, [at]) => sum + (at - seconds) ** 2, 0)
  const slope = points.reduce((sum, [at, value]) => sum + (at - seconds) * (value - mean), 0) / spread
  const duration = points.at(-1)![0] - points[0]![0]
  const growth = slope * duration
  const allowed = Math.max(growthMin, (growthPerHourMax * mean * duration) / 3600)
  return { mean, perHour: slope * 3600, growth, isOver: growth > allowed }
}
