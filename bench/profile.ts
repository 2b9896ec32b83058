// Prints what a profile has most of, by function: `node bench/profile.ts file [lines]`. Of a `.cpuprofile`, which
// `run.ts --profile folder` and `node --cpu-prof` write, time; of a `.heapprofile`, bytes allocated: `run.ts
// --heap-profile folder` writes one with what was collected, `node --heap-prof` with what was still there at the end.
import { readFileSync } from "node:fs"
import { basename } from "node:path"

interface Frame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

interface CpuProfile {
  readonly nodes: ReadonlyArray<{ readonly id: number; readonly callFrame: Frame }>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

interface HeapNode {
  readonly callFrame: Frame
  /** Bytes that it allocated itself. */
  readonly selfSize: number
  readonly children: ReadonlyArray<HeapNode>
}

const nameOf = ({ functionName, lineNumber, url }: Frame): string =>
  `${functionName || "(anonymous)"}${url === "" ? "" : ` ${basename(url)}:${lineNumber + 1}`}`

const microsOf = ({ nodes, samples, timeDeltas }: CpuProfile): Map<string, number> => {
  const names = new Map(nodes.map(({ callFrame, id }) => [id, nameOf(callFrame)]))
  const own = new Map<string, number>()
  for (const [index, id] of samples.entries()) {
    const name = names.get(id)!
    own.set(name, (own.get(name) ?? 0) + timeDeltas[index]!)
  }
  return own
}

const bytesOf = (head: HeapNode): Map<string, number> => {
  const own = new Map<string, number>()
  const pending = [head]
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const name = nameOf(node.callFrame)
    own.set(name, (own.get(name) ?? 0) + node.selfSize)
    pending.push(...node.children)
  }
  return own
}

const linesDefault = "30"
const [file, lines = linesDefault] = process.argv.slice(2)
const text = readFileSync(file!, "utf8")
const isHeap = file!.endsWith(".heapprofile")
const own = isHeap
  ? bytesOf((JSON.parse(text) as { readonly head: HeapNode }).head)
  : microsOf(JSON.parse(text) as CpuProfile)

const total = [...own.values()].reduce((sum, value) => sum + value, 0)
const busy = total - (own.get("(idle)") ?? 0)
const head = isHeap
  ? `${(total / 2 ** 20).toFixed(1)} MiB allocated; by the function itself:`
  : `${(busy / 1000).toFixed(0)} ms busy of ${(total / 1000).toFixed(0)} ms; own time:`
process.stdout.write(`${head}\n`)
const sorted = [...own].filter(([name]) => name !== "(idle)").sort(([, a], [, b]) => b - a)
for (const [name, value] of sorted.slice(0, Number.parseInt(lines, 10))) {
  process.stdout.write(`${((value / busy) * 100).toFixed(1).padStart(5)} %  ${name}\n`)
}
