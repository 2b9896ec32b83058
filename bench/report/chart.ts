// The charts, as SVG: how Strata compares with what each target is measured against, and how reads grow with the
// database.
import * as echarts from "echarts"
import type { Cell } from "./cells.ts"
import type { Point } from "./growth.ts"
import type { Verdict } from "./targets.ts"
import { type Scale, thousands } from "../workloads/workload.ts"

const width = 1100
const barHeight = 26
const curveHeight = 420

const svgOf = (option: echarts.EChartsCoreOption, height: number): string => {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width, height })
  chart.setOption({ animation: false, backgroundColor: "#ffffff", ...option })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return `${svg}\n`
}

/** A bar for each target that is a ratio, and a mark where the bar should end. */
export const targetsChart = (verdicts: ReadonlyArray<Verdict>): string => {
  const bars = verdicts
    .flatMap(({ met, ratio, ratioMin, wanted, what }) => {
      if (ratio === undefined || met === undefined) return []
      return [{ name: `${what}: ${wanted}`, ratio, ratioMin, met }]
    })
    .toReversed()
  return svgOf(
    {
      title: {
        text: "Strata against what each target names (◆ the target): above 1, Strata is faster",
        left: "center"
      },
      grid: { left: 430, right: 70, top: 50, bottom: 40 },
      xAxis: { type: "log", name: "×", min: 0.1, minorSplitLine: { show: false } },
      yAxis: { type: "category", data: bars.map(({ name }) => name), axisLabel: { fontSize: 11 } },
      series: [
        {
          type: "bar",
          data: bars.map(({ met, ratio }) => ({
            value: Number(ratio.toFixed(2)),
            itemStyle: { color: met ? "#3f8f5b" : "#c2683c" }
          })),
          label: { show: true, position: "right", formatter: "{c} ×", fontSize: 11 },
          markLine: {
            silent: true,
            symbol: "none",
            data: [{ xAxis: 1 }],
            label: { show: false },
            lineStyle: { color: "#444" }
          }
        },
        {
          type: "scatter",
          symbol: "diamond",
          symbolSize: 9,
          itemStyle: { color: "#222" },
          data: bars.map(({ name, ratioMin }) => [ratioMin, name])
        }
      ]
    },
    110 + barHeight * Math.max(1, bars.length)
  )
}

/** A line for each engine and loop of gets: microseconds by keys. */
export const curveChart = (
  cells: ReadonlyArray<Cell>,
  { points, scale }: { readonly points: ReadonlyArray<Point>; readonly scale: Scale }
): string => {
  const row = (name: string) => `curve-get-${name}`
  const lines = new Set(
    cells.filter(({ row }) => row.startsWith("curve-get-")).map(({ engine, loop }) => `${engine}, ${loop}`)
  )
  return svgOf(
    {
      title: { text: "random get, µs by number of keys", left: "center" },
      legend: { bottom: 0, itemGap: 28 },
      grid: { left: 70, right: 40, top: 50, bottom: 80 },
      xAxis: { type: "category", data: points.map(({ keys }) => thousands(keys(scale))) },
      yAxis: { type: "log", name: "µs" },
      series: [...lines].map((name) => ({
        name,
        type: "line",
        symbolSize: 7,
        lineStyle: { width: name.startsWith("strata") ? 4 : 1.5 },
        data: points.map(
          (point) =>
            cells.find((cell) => cell.row === row(point.name) && `${cell.engine}, ${cell.loop}` === name)?.median ??
            null
        )
      }))
    },
    curveHeight
  )
}
