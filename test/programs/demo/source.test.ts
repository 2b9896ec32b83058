import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { list } from "../../../src/programs/demo/source.ts"
import { temporaryDirectory } from "../support.ts"

const mebibyte = 1024 * 1024

const packages = (files: Readonly<Record<string, number>>): string => {
  const root = temporaryDirectory()
  for (const [name, bytes] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
    fs.writeFileSync(path.join(root, name), new Uint8Array(bytes))
  }
  return root
}

const listed = (root: string) => Effect.provide(list(root, 8 * mebibyte), NodeServices.layer)

describe("the demo's source", () => {
  it.live("is the packages' files, without links, tools' caches and those over the value limit", () =>
    Effect.gen(function* () {
      const root = packages({
        ".vite/cache": 1,
        ".lock.json": 1,
        "b/x": 8 * mebibyte,
        "b/y": 8 * mebibyte + 1,
        "a/.z": 2
      })
      fs.symlinkSync("../b/x", path.join(root, "a/link"))
      const { bytes, files, skipped } = yield* listed(root)
      assert.deepStrictEqual(files, [
        { path: "a/.z", bytes: 2 },
        { path: "b/x", bytes: 8 * mebibyte }
      ])
      assert.strictEqual(bytes, 8 * mebibyte + 2)
      assert.deepStrictEqual(skipped, [{ path: "b/y", bytes: 8 * mebibyte + 1 }])
    })
  )

  it.live("is cut into batches that hold each file once, in order, and at most 4 MiB or one file over 1 MiB", () =>
    Effect.gen(function* () {
      const sizes = [0.5, 1, 1, 1, 0.5, 0, 1, 1.5, 4, 5, 0.5, 2, 1]
      // In the order of their names.
      const root = packages(Object.fromEntries(sizes.map((size, index) => [`p/${10 + index}`, size * mebibyte])))
      const { batches } = yield* listed(root)
      const cut = [[0.5, 1, 1, 1, 0.5, 0], [1], [1.5], [4], [5], [0.5], [2], [1]]
      assert.deepStrictEqual(
        batches.map(({ end, start }) => sizes.slice(start, end)),
        cut
      )
      assert.deepStrictEqual(
        batches.map(({ bytes }) => bytes / mebibyte),
        cut.map((batch) => batch.reduce((sum, size) => sum + size, 0))
      )
    })
  )

  it.live("is cut at 1,000 files", () =>
    Effect.gen(function* () {
      const root = packages(Object.fromEntries(Array.from({ length: 2001 }, (_, index) => [`p/${index}`, 0])))
      const { batches } = yield* listed(root)
      assert.deepStrictEqual(
        batches.map(({ end, start }) => end - start),
        [1000, 1000, 1]
      )
    })
  )
})
