// What a bench tells: a line for each workload when it is done, or all of them as JSON.
import type { Stats } from "../../services/Maintenance.ts"
import type { Durability } from "../../services/Options.ts"
import { bytesText, countText, table } from "../table.ts"
import type { Measured } from "./measure.ts"
import { keyBytes } from "./pairs.ts"
import type { Machine } from "./place.ts"
import { type Workload, workloads } from "./workloads.ts"

export interface Settings {
  readonly keys: number
  readonly valueBytes: number
  readonly seconds: number
  readonly durability: Durability
  readonly codec: string | undefined
  readonly encrypted: boolean
}

export interface Figure {
  readonly id: string
  readonly title: string
  readonly operations: number
  /** Entries where one operation is many of them. */
  readonly things: number
  readonly perSecond: number
  readonly microsEach: number
  /** Of one operation; not told where one is many things. */
  readonly p50Micros: number | undefined
  readonly p99Micros: number | undefined
}

/** What the files were at the end. */
export interface AtRest {
  readonly liveBytes: number
  readonly fileBytes: number
  readonly amplification: Stats["amplification"]
  readonly peakBytes: number
}

const percentile = (sorted: Float64Array, percent: number): number | undefined =>
  sorted.length === 0 ? undefined : sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))]

const micros = (nanos: number | undefined): number | undefined => (nanos === undefined ? undefined : nanos / 1000)

export const figureOf = ({ id, spread, title }: Omit<Workload, "run">, measured: Measured): Figure => {
  const { nanos, operations, sampled, things } = measured
  return {
    id,
    title,
    operations,
    things,
    perSecond: (things * 1e9) / nanos,
    microsEach: nanos / 1000 / things,
    p50Micros: spread ? micros(percentile(sampled, 50)) : undefined,
    p99Micros: spread ? micros(percentile(sampled, 99)) : undefined
  }
}

const titleColumns = Math.max(...workloads.map(({ title }) => title.length))
const figureColumns = 12

const microsText = (value: number | undefined): string => {
  if (value === undefined) return ""
  return value >= 100 ? countText(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2)
}

/** In columns as wide as they have to be, for a line is told when its workload is done. */
const line = (title: string, figures: ReadonlyArray<string>): string =>
  `${title.padEnd(titleColumns)}${figures.map((text) => text.padStart(figureColumns)).join("")}`.trimEnd()

export const head = line("", ["a second", "µs each", "p50 µs", "p99 µs"])

export const lineOf = ({ microsEach, p50Micros, p99Micros, perSecond, title }: Figure): string =>
  line(title, [countText(Math.round(perSecond)), microsText(microsEach), microsText(p50Micros), microsText(p99Micros)])

export const machineText = ({ cores, memoryBytes, node, platform, processor }: Machine): string =>
  `${cores} × ${processor}, ${bytesText(memoryBytes)}, ${platform}, Node ${node}`

export const settingsText = ({ codec, durability, encrypted, keys, valueBytes }: Settings): string =>
  [
    `${countText(keys)} keys of ${keyBytes} B, values of ${countText(valueBytes)} B`,
    `durability ${durability}`,
    codec === undefined ? "codec zstd at the bottom, as by default" : `codec ${codec} at the bottom`,
    ...(encrypted ? ["encrypted"] : [])
  ].join("; ")

export const restText = ({ amplification, fileBytes, liveBytes, peakBytes }: AtRest): string =>
  table([
    ["entries", bytesText(liveBytes)],
    ["on disk", `${bytesText(fileBytes)} after the compaction`],
    ["written", `${amplification.write.toFixed(1)} times what was set, log, flushes and compactions included`],
    ["peak memory", bytesText(peakBytes)]
  ])
