// Long values on the command line: they go in and out in pieces.
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { measured, on, shell, temporaryDirectory } from "./support.ts"

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

/** A file whose parts differ. */
const fileOf = (bytes: number): string => {
  const file = path.join(temporaryDirectory(), "input")
  const part = Uint8Array.from({ length: mebibyte }, (_, index) => (Math.imul(index, 0x9e3779b1) >>> 13) & 255)
  for (let at = 0; at < bytes; at += part.length) {
    new DataView(part.buffer).setUint32(0, at)
    fs.appendFileSync(file, part.subarray(0, bytes - at))
  }
  return file
}

describe("a value of 128 MiB", () => {
  const input = fileOf(128 * mebibyte)
  const small = fileOf(1)
  const env = { STRATA_DB: temporaryDirectory(), input, small, directory: path.dirname(input) }
  // A process that holds it once has 128 MiB more. Pieces are garbage that is collected when there are some 64 MiB.
  const moreBytesMax = 96 * mebibyte

  // A text that holds it once has 171 MiB more, beside the value's.
  const moreTextBytesMax = 160 * mebibyte

  /** The best of three: on a busy machine garbage is collected late. */
  const bounded = (line: string, baseBytes: number, moreBytesMax: number): void => {
    for (let left = 2; ; left -= 1) {
      const { code, error, peakBytes, text } = measured(`set -o pipefail; ${line}`, env)
      assert.deepStrictEqual({ code, error, text }, { code: 0, error: "", text: "" })
      const moreBytes = peakBytes - baseBytes
      console.log(`${line}: ${(moreBytes / mebibyte).toFixed(1)} MiB above ${(baseBytes / mebibyte).toFixed(1)}`)
      if (moreBytes <= moreBytesMax) return
      assert.isAbove(left, 0, `${moreBytes} bytes more than for a small value: ${line}`)
    }
  }

  it("is nowhere whole in memory, from a file, from and to a pipe, and when it is imported", () => {
    const writing = measured("$strata set small < $small", env).peakBytes
    for (const line of ["set file < $input", "import $directory > /dev/null"]) {
      bounded(`$strata ${line}`, writing, moreBytesMax)
    }
    bounded("cat $input | $strata set pipe", writing, moreBytesMax)
    const reading = measured("$strata get small", env).peakBytes
    for (const key of ["file", "pipe", "input"]) bounded(`$strata get ${key} | cmp - $input`, reading, moreBytesMax)
    bounded("$strata get pipe > $input.out && cmp $input $input.out", reading, moreBytesMax)
    for (const line of ["scan --prefix pipe --json", "get pipe --json"]) {
      bounded(`$strata ${line} > /dev/null`, reading, moreTextBytesMax)
    }
  }, 300_000)
})

describe("values of the length from which they are streamed", () => {
  it.each([256 * kibibyte - 1, 256 * kibibyte, 256 * kibibyte + 1, mebibyte, mebibyte + 1])("%d B", (bytes) => {
    const input = fileOf(bytes)
    const env = { STRATA_DB: temporaryDirectory(), input, directory: path.dirname(input) }
    const line = [
      "set -e -o pipefail",
      "cat $input | $strata set pipe",
      "$strata import $directory > /dev/null",
      "for key in pipe input; do $strata get $key | cmp - $input; done",
      "$strata get pipe --json | wc -l"
    ].join("\n")
    const { code, error, text } = shell(line, { env })
    assert.deepStrictEqual([code, error, text.trim()], [0, "", "1"])
  })
})

describe("a long value as hexadecimal", () => {
  const bytes = fs.readFileSync(fileOf(mebibyte + 1))
  const hex = bytes.toString("hex")

  it("goes in and out", () => {
    const db = on(temporaryDirectory())
    assert.deepStrictEqual(db(["set", "00", "--hex"], { input: ` \n${hex.toUpperCase()}\n\n` }).error, "")
    assert.isTrue(db(["get", "00", "--hex"]).text === `${hex}\n`)
    assert.isTrue(db(["get", "00", "--hex", "--json"]).text.includes(`"value":"${hex}"`))
  })

  it.each([
    ["a digit too few", hex.slice(1)],
    ["a letter that is none", `${hex}0g`],
    ["white space within", `${hex} 00`]
  ])("is refused with %s, and writes nothing", (_, input) => {
    const db = on(temporaryDirectory())
    const { code, error } = db(["set", "00", "--hex"], { input })
    assert.deepStrictEqual([code, error], [1, "strata: standard input is not hexadecimal\n"])
    assert.strictEqual(db(["count"]).text, "0\n")
  })
})

describe("a long value that is refused", () => {
  it("ends the command before it is read, and writes nothing", () => {
    const env = { STRATA_DB: temporaryDirectory(), input: fileOf(8 * mebibyte) }
    const { code, error } = shell(`$strata set "" < $input`, { env })
    assert.strictEqual(code, 1)
    assert.match(error, /^strata: [^\n]*empty[^\n]*\n$/i)
    assert.strictEqual(shell("$strata count", { env }).text, "0\n")
  })
})
