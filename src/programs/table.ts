// Numbers and tables for people.

const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const

/** `1.2 MiB`; whole numbers below 1 KiB. */
export const bytesText = (bytes: number): string => {
  let value = bytes
  let unit = 0
  // At 1023.95 of a unit, one decimal would read 1024.0.
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${units[unit]}`
}

/** `1,234,567`. */
export const countText = (count: number): string => String(count).replace(/\B(?=(?:\d{3})+$)/g, ",")

/** `1 file`, `2 files`. */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${countText(count)} ${count === 1 ? one : many}`

export const entriesText = (count: number): string => plural(count, "entry", "entries")

/** Two columns: names to the left, what they are to the right of the longest. */
export const table = (rows: ReadonlyArray<readonly [name: string, value: string]>): string => {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd()).join("\n")
}

/** Columns of figures, to the right, under their names. */
export const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)))
  return rows.map((row) => row.map((cell, at) => cell.padStart(widths[at]!)).join("  ")).join("\n")
}
