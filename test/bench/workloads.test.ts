// That the bench still runs: a part of its workloads at a small scale, with the engines that need no package.
import { assert, describe, it } from "@effect/vitest"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { meter } from "../../bench/allocation.ts"
import { driver as file } from "../../bench/drivers/file.ts"
import { driver as map } from "../../bench/drivers/map.ts"
import { driver as strata } from "../../bench/drivers/strata.ts"
import { takePeakBytes } from "../../bench/peak.ts"
import { groups, scales } from "../../bench/workloads/index.ts"
import type { Measure, Scale } from "../../bench/workloads/workload.ts"

const scale: Scale = {
  ...scales.quick,
  smallKeys: 500,
  mediumKeys: 5000,
  gets: 5000,
  sets: 600,
  largeSets: 400,
  batches: 2,
  transactions: 40,
  durableSets: 20,
  replayKeys: 1000,
  openTables: 2,
  capMillis: 100
}

const measured = async (name: string, driver: typeof strata): Promise<ReadonlyArray<Measure>> => {
  const group = groups.find((group) => group.name === name)!
  const directory = mkdtempSync(join(tmpdir(), "strata-bench-test-"))
  const measures: Array<Measure> = []
  try {
    for (const phase of group.phases) {
      await phase({ driver, directory, scale, wants: () => true, record: (measure) => measures.push(measure) })
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return measures
}

const ways = (measures: ReadonlyArray<Measure>): ReadonlyArray<string> => {
  for (const { loop, row, value } of measures) assert.isAbove(value, 0, `${row}, ${loop}`)
  return measures.map(({ loop, mode, row }) => `${row}, ${loop}, ${mode}`)
}

describe("the bench", () => {
  it.each([
    { name: "hot-small", some: ["get-small, owned, os", "get-small, view, os"] },
    {
      name: "hot-medium",
      some: ["missing-medium, owned, os", "scan, view, os", "ranges, owned, os", "count, count, os"]
    },
    { name: "sets", some: ["set, one by one, buffered", "set, in flight, os"] },
    { name: "transactions", some: ["transaction, one by one, os", "transaction, in flight, buffered"] },
    { name: "durable-many", some: ["durable-64, in flight, disk"] },
    { name: "values-1k", some: ["get-1k, owned, os", "scan-keys-1k, view, os", "scan-values-1k, owned, os"] },
    { name: "sealed-batches", some: ["sealed-batch, batch, os, encrypted", "sealed-batch, batch, os, zstd"] },
    { name: "open-tables", some: ["open-tables, open, os, small tables"] }
  ])("measures $name of Strata, and reads everything back", async ({ name, some }) => {
    assert.includeMembers([...ways(await measured(name, strata))], some)
  })

  it("has a map and a file as floors", async () => {
    assert.deepStrictEqual(ways(await measured("hot-small", map)), ["get-small, view, memory"])
    assert.deepStrictEqual(ways(await measured("durable-one", file)), ["durable-1, one by one, append and fdatasync"])
  })

  it("finds out an engine that answers wrongly", async () => {
    const forgetful: typeof strata = {
      ...map,
      open: async (directory, mode) => {
        const session = await map.open(directory, mode)
        return {
          ...session,
          write: ({ keys, values }) => session.write({ keys: keys.slice(1), values: values.slice(1) })
        }
      }
    }
    let message = ""
    await measured("hot-small", forgetful).catch((error: Error) => (message = error.message))
    assert.match(message, /found .* expected/)
  })
})

describe("what is allocated", () => {
  const kept: Array<Uint8Array> = []
  const counted = async (operations: number, bytes: number): Promise<number> => {
    meter.isOn = true
    try {
      for (;;) {
        await meter.around(operations, () => {
          for (let done = 0; done < operations; done += 1) kept.push(new Uint8Array(bytes))
        })
        kept.length = 0
        const each = meter.take()
        if (each !== undefined) return each
      }
    } finally {
      meter.isOn = false
    }
  }

  it("is what array buffers and the heap grow by, for each operation", async () => {
    const each = await counted(500, 4000)
    assert.isAtLeast(each, 4000)
    assert.isBelow(each, 5000)
  })

  it("is not told of nothing", () => {
    assert.isUndefined(meter.take())
  })
})

it("asks the system for the peak of memory, from the last time on", () => {
  const first = takePeakBytes()
  assert.isAbove(first, 16 * 1024 * 1024)
  assert.isAtMost(takePeakBytes(), Math.max(first, process.memoryUsage().rss * 1.5))
})
