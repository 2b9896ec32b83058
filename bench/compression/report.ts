// The table of `bench/compression.ts`: each figure with its ratio to no compression of the same shape.
import type { Result, Variant } from "./settings.ts"

const mebibyte = 1024 * 1024

const titles = {
  files: "Files as they are: values above 1 KiB are in value files",
  pieces: "The same files in pieces of 1,000 B: all of it is in tables"
} as const

const nameOf = ({ codec, shape, values }: Variant): string =>
  codec === "none" ? "none" : shape === "pieces" ? codec : values ? `${codec}, values too` : `${codec}, values none`

const ratio = (value: number, base: number): string => (value / base).toFixed(2)

const cell = (text: string, value: number, base: number): string => `${text} (${ratio(value, base)})`

const row = (variant: Variant, result: Result, base: Result): string => {
  const megabytes = result.plainBytes / mebibyte
  const load = (one: Result): number => one.plainBytes / mebibyte / one.seconds
  const scan = (one: Result): number => one.plainBytes / mebibyte / one.scanSeconds
  return [
    nameOf(variant),
    cell(`${(result.diskBytes / mebibyte).toFixed(1)} of ${megabytes.toFixed(1)}`, result.diskBytes, base.diskBytes),
    cell(load(result).toFixed(0), load(result), load(base)),
    cell(result.cpuSeconds.toFixed(1), result.cpuSeconds, base.cpuSeconds),
    cell(scan(result).toFixed(0), scan(result), scan(base)),
    cell(result.getMicros.toFixed(1), result.getMicros, base.getMicros)
  ].join(" | ")
}

export const report = (results: ReadonlyArray<readonly [Variant, Result]>): string =>
  (["files", "pieces"] as const)
    .map((shape) => {
      const own = results.filter(([variant]) => variant.shape === shape)
      const [, base] = own.find(([{ codec }]) => codec === "none")!
      const rows = own.map(([variant, result]) => `| ${row(variant, result, base)} |`)
      return [
        `${titles[shape]} (ratios to none)`,
        "",
        "| codec | MiB on disk | load MiB/s | CPU s of the load | cold scan MiB a CPU s | CPU µs a random cold get |",
        "|---|---|---|---|---|---|",
        ...rows,
        ""
      ].join("\n")
    })
    .join("\n")
