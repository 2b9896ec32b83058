import { assert, describe, it } from "@effect/vitest"
import { driver as map } from "../../bench/drivers/map.ts"
import { driver as strata } from "../../bench/drivers/strata.ts"
import { type Cell, cellsOf, type Figure, type Results } from "../../bench/report/cells.ts"
import { growthOf } from "../../bench/report/growth.ts"
import { json, markdown, type Report } from "../../bench/report/markdown.ts"
import { judged, type Target, targets } from "../../bench/report/targets.ts"
import { machine } from "../../bench/run/machine.ts"
import { groups, scales } from "../../bench/workloads/index.ts"
import { points } from "../../bench/workloads/curve.ts"

const figure = (engine: string, value: number, more: Partial<Figure> = {}): Figure => ({
  engine,
  row: "get-small",
  loop: "owned",
  mode: "os",
  value,
  ...more
})

const cells = (...figures: ReadonlyArray<Figure>): ReadonlyArray<Cell> => cellsOf({ figures, allocations: [] })

const judge = (wanted: Target["wanted"], found: ReadonlyArray<Cell>) =>
  judged({ cells: found, durable: ["strata", "lmdb", "rocksdb"], fillMode: "os", isRate: (row) => row === "replay" }, [
    { what: "a get", row: "get-small", loop: "owned", wanted }
  ])[0]!

describe("a cell", () => {
  it("has the median of its rounds, the highest peak, and the bytes of another process", () => {
    const figures = [4, 1, 2].map((value) => figure("strata", value, { peakBytes: value * 10 }))
    const [cell] = cellsOf({ figures, allocations: [figure("strata", 9, { bytesEach: 100 })] })
    assert.deepInclude(cell, { median: 2, least: 1, most: 4, peakBytes: 40, bytesEach: 100 })
  })
})

describe("a target", () => {
  const found = cells(
    figure("strata", 2),
    figure("strata", 4, { mode: "os, encrypted" }),
    figure("lmdb", 5),
    figure("lmdb", 3, { loop: "view" }),
    figure("map", 1)
  )

  it.each([
    { wanted: { than: "lmdb", ratioMin: 2.5 }, ratio: 2.5, met: true },
    { wanted: { than: "lmdb", ratioMin: 2.51 }, ratio: 2.5, met: false },
    { wanted: { than: "lmdb", loop: "view", ratioMin: 2 }, ratio: 1.5, met: false },
    { wanted: { than: "best peer", ratioMin: 1 }, ratio: 1.5, met: true },
    { wanted: { than: "rocksdb", ratioMin: 1 }, ratio: undefined, met: undefined },
    { wanted: { thanMode: "os, encrypted", ratioMin: 2 }, ratio: 2, met: true },
    { wanted: { most: 2 }, ratio: undefined, met: true },
    { wanted: { most: 1.9 }, ratio: undefined, met: false },
    { wanted: { least: 2.1 }, ratio: undefined, met: false }
  ])("$wanted is judged by medians: $met", ({ met, ratio, wanted }) => {
    assert.deepInclude(judge([wanted], found), { ratio, met })
  })

  it("is not measured where Strata was not", () => {
    assert.deepInclude(judge([{ most: 1 }], cells(figure("lmdb", 1))), { strata: undefined, met: undefined })
  })

  it("names a row that there is, and a mode that Strata has", () => {
    const rows = new Set(groups.flatMap((group) => group.rows.map(({ id }) => id)))
    const own = ["effect-strata", "its Effect modules"]
    const modes = new Set([strata.unsynced, strata.synced, strata.variants ?? {}].flatMap(Object.keys).concat(own))
    for (const { mode = strata.fillMode, row } of targets) {
      assert.isTrue(rows.has(row), row)
      assert.isTrue(modes.has(mode), mode)
    }
  })
})

describe("growth", () => {
  const curve = (engine: string, medians: ReadonlyArray<number>, loop = "owned") =>
    medians.map((value, at) => figure(engine, value, { row: `curve-get-${points[at]!.name}`, loop }))
  const grown = (...found: ReadonlyArray<ReadonlyArray<Figure>>) =>
    growthOf(cells(...found.flat()), { points, scale: scales.full })[0]!

  it("may be what log n grows, and no more", () => {
    assert.isTrue(grown(curve("strata", [1, 1.25, 1.49])).met)
    assert.isFalse(grown(curve("strata", [1, 1.25, 1.51])).met)
  })

  it("may be so many times more as a map becomes slower", () => {
    assert.isTrue(grown(curve("strata", [1, 2, 2.9]), curve("map", [1, 1.5, 2], "view")).met)
    assert.isFalse(grown(curve("strata", [1, 2, 3.1]), curve("map", [1, 1.5, 2], "view")).met)
  })

  it("is not told of one point", () => {
    assert.isUndefined(grown(curve("strata", [1])))
  })
})

describe("the report", () => {
  const figures = [figure("strata", 1, { row: "get-medium" }), figure("lmdb", 1.5, { row: "get-medium" })]
  const results: Results = {
    engines: [
      { name: "strata", driver: strata },
      { name: "lmdb", driver: { ...strata, unsynced: { os: { kill: "kept", power: "may be damaged" } } } },
      { name: "map", driver: map }
    ],
    rows: groups.flatMap((group) => group.rows),
    scale: scales.full,
    figures,
    allocations: [figure("strata", 0, { row: "get-medium", bytesEach: 321 })],
    failures: [{ engine: "lmdb", group: "sets, 1", message: "it broke" }]
  }
  const found = cellsOf(results)
  const report: Report = {
    results,
    cells: found,
    machine: machine("on a disk"),
    verdicts: judged({ cells: found, durable: ["strata", "lmdb"], fillMode: "os", isRate: () => false }),
    companions: [{ title: "`sustained.ts`", verdicts: [{ what: "RSS", wanted: "≤ 1", found: "2", reached: false }] }],
    growth: [],
    points,
    rounds: 3,
    seconds: 90,
    groupSeconds: { "hot-medium": 90 },
    charts: undefined
  }

  it("has every target with its ratio, and says which was not met, not measured, or failed", () => {
    const text = markdown(report)
    const line = text.split("\n").find((line) => line.startsWith("| get, 100 k hot keys (`get-medium`) |"))!
    assert.match(line, /\| 1\.00 \(1\.00–1\.00\) µs \| lmdb .* \| 1\.50 × \| ≥ 2 × lmdb \| \*\*no\*\* \|$/)
    assert.match(text, /`sustained\.ts`: RSS \| 2 \|  \|  \| ≤ 1 \| \*\*no\*\*/)
    assert.match(text, /count of a prefix .* not measured/)
    assert.include(text, "0 of 2 targets are met")
    assert.include(text, "- lmdb, sets, 1: it broke")
    assert.match(text, /random get, 100 k keys, hot \| µs \| owned, os \| 1\.00 \(1\.00–1\.00\) \| 321 \|/)
    assert.match(text, /\| lmdb \| owned \| os \| 1\.50 \(1\.50–1\.50\) \| 1 \|  \| kept \| may be damaged \|/)
  })

  it("is JSON with the figure of every round", () => {
    const parsed = JSON.parse(json(report)) as {
      readonly machine: { readonly versions: Readonly<Record<string, string>> }
      readonly targets: ReadonlyArray<{ readonly row: string; readonly met?: boolean }>
      readonly rows: ReadonlyArray<{ readonly id: string; readonly cells: ReadonlyArray<Cell> }>
    }
    assert.strictEqual(parsed.machine.versions["node"], process.versions.node)
    assert.isFalse(parsed.targets.find(({ row }) => row === "get-medium")!.met)
    const row = parsed.rows.find(({ id }) => id === "get-medium")!
    assert.deepStrictEqual(
      row.cells.map(({ engine, values }) => [engine, values]),
      [
        ["strata", [1]],
        ["lmdb", [1.5]]
      ]
    )
  })
})
