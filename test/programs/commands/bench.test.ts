import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { workloads } from "../../../src/programs/bench/workloads.ts"
import { entry, ndjson, strata, temporaryDirectory } from "../support.ts"

const small = ["--keys", "500", "--seconds", "0.01"]

interface Report {
  readonly machine: { readonly node: string }
  readonly settings: Readonly<Record<string, unknown>>
  readonly workloads: ReadonlyArray<{ readonly id: string; readonly microsEach: number; readonly things: number }>
  readonly atRest: { readonly liveBytes: number; readonly fileBytes: number }
}

const reportOf = (flags: ReadonlyArray<string>): Report => {
  const { code, error, text } = strata(["bench", ...small, "--json", ...flags])
  assert.deepStrictEqual([code, error], [0, ""])
  return ndjson(text)[0] as Report
}

describe("bench", () => {
  it("is a line for each workload, and leaves nothing behind", () => {
    const directory = temporaryDirectory()
    const { code, error, text } = strata(["bench", ...small, "--directory", directory])
    assert.deepStrictEqual([code, error], [0, ""])
    assert.match(text, /^500 keys of 16 B, values of 128 B; durability disk; codec zstd/m)
    for (const { title } of workloads)
      assert.match(text, new RegExp(`^${title} +[\\d,]+ +[\\d.,]+( +[\\d.,]+){0,2}$`, "m"))
    assert.match(text, /^open, first get and close +\d/m)
    assert.match(text, /^on disk +[\d.]+ [KM]iB/m)
    assert.deepStrictEqual(fs.readdirSync(directory), [])
  })

  it("is JSON for programs, on a directory that is made and removed", () => {
    const directory = path.join(temporaryDirectory(), "new")
    const { machine, settings, workloads: figures } = reportOf(["--directory", directory, "--value-bytes", "300"])
    assert.strictEqual(machine.node, process.versions.node)
    assert.deepInclude(settings, { keys: 500, valueBytes: 300, durability: "disk", encrypted: false })
    assert.deepStrictEqual(
      figures.map(({ id }) => id),
      [...workloads.map(({ id }) => id), "open"]
    )
    for (const { id, microsEach, things } of figures) assert.isTrue(microsEach > 0 && things > 0, id)
    assert.isFalse(fs.existsSync(directory))
  })

  it("compresses and encrypts as it is told", () => {
    const [none, zstd] = ["none", "zstd"].map((codec) => reportOf(["--codec", codec, "--durability", "os"]).atRest)
    assert.isAbove(none!.fileBytes, none!.liveBytes)
    assert.isBelow(zstd!.fileBytes, 0.9 * none!.fileBytes)
    const sealed = reportOf(["--codec", "none", "--durability", "os", "--encrypted"])
    assert.isTrue(sealed.settings["encrypted"])
    assert.isAbove(sealed.atRest.fileBytes, none!.fileBytes)
  })

  it("takes no directory that holds something, and none that is a file", () => {
    const directory = temporaryDirectory()
    const file = path.join(directory, "file")
    fs.writeFileSync(file, "text")
    for (const place of [directory, file, path.join(directory, "not/there")]) {
      const { code, error, text } = strata(["bench", ...small, "--directory", place])
      assert.deepStrictEqual([code, text], [1, ""], place)
      assert.match(error, /^strata: [^\n]+\n$/)
      assert.include(error, place)
    }
    assert.deepStrictEqual(fs.readdirSync(directory), ["file"])
  })

  it("makes a key of its own, and takes none", () => {
    const { code, error } = strata(["bench", ...small, "--key-file", "/nonexistent"])
    assert.deepStrictEqual([code, error], [1, "strata: bench makes a key of its own: --encrypted\n"])
    assert.strictEqual(strata(["bench", ...small, "--encrypted"], { env: { STRATA_KEY: "not a key" } }).code, 0)
  })

  it.each(["SIGINT", "SIGTERM"] as const)("removes what it made also on %s", async (signal) => {
    const directory = temporaryDirectory()
    const long = ["--keys", "500", "--seconds", "600"]
    const child = spawn(process.execPath, [entry, "bench", ...long, "--directory", directory])
    let text = ""
    child.stdout.on("data", (chunk) => {
      text += chunk
      if (/^batches/m.test(text)) child.kill(signal)
    })
    const code = await new Promise((resolve) => void child.on("close", resolve))
    assert.strictEqual(code, 130)
    assert.notMatch(text, /^count/m)
    assert.deepStrictEqual(fs.readdirSync(directory), [])
  })
})
