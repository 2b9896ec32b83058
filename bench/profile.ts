// Prints where a profile's time went, by function: `node bench/profile.ts file.cpuprofile [lines]`. Profiles come from
// `run.ts --profile folder`.
import { readFileSync } from "node:fs"
import { basename } from "node:path"

interface Frame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

interface Profile {
  readonly nodes: ReadonlyArray<{ readonly id: number; readonly callFrame: Frame }>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

const linesDefault = "30"
const [file, lines = linesDefault] = process.argv.slice(2)
const profile = JSON.parse(readFileSync(file!, "utf8")) as Profile

const names = new Map(
  profile.nodes.map(({ callFrame: { functionName, lineNumber, url }, id }) => [
    id,
    `${functionName || "(anonymous)"}${url === "" ? "" : ` ${basename(url)}:${lineNumber + 1}`}`
  ])
)
const micros = new Map<string, number>()
for (const [index, id] of profile.samples.entries()) {
  const name = names.get(id)!
  micros.set(name, (micros.get(name) ?? 0) + profile.timeDeltas[index]!)
}
const total = profile.timeDeltas.reduce((sum, delta) => sum + delta, 0)
const busy = total - (micros.get("(idle)") ?? 0)
const sorted = [...micros].filter(([name]) => name !== "(idle)").sort(([, a], [, b]) => b - a)
process.stdout.write(`${(busy / 1000).toFixed(0)} ms busy of ${(total / 1000).toFixed(0)} ms; own time:\n`)
for (const [name, own] of sorted.slice(0, Number.parseInt(lines, 10))) {
  process.stdout.write(`${((own / busy) * 100).toFixed(1).padStart(5)} %  ${name}\n`)
}
