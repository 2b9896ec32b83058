// The report of `bench/values.ts`: each figure beside what is wanted of it, and what it is made of.
import { cpus, totalmem } from "node:os"
import type { Phase, Settings, ValuesResult, Written } from "./settings.ts"

const mebibyte = 1024 * 1024
const spaceMax = 1.25
const filledMax = 2.1
const overwrittenMax = 3.5
const emptySecondsMax = 60

const mib = (bytes: number): string => `${(bytes / mebibyte).toFixed(1)} MiB`

const amplified = ({ appended, linux, user }: Written): string =>
  `${(appended / user).toFixed(2)}${linux === undefined ? "" : ` (as Linux counts: ${(linux / user).toFixed(2)})`}`

export interface Wanted {
  readonly what: string
  readonly wanted: string
  readonly found: string
  readonly reached: boolean
}

/** Both phases as one: what was put off is counted with what put it off. */
const together = (a: Written, b: Written): Written => ({
  user: a.user + b.user,
  appended: a.appended + b.appended,
  linux: a.linux === undefined || b.linux === undefined ? undefined : a.linux + b.linux
})

export const wantedOf = ({ emptySeconds, liveBytes, phases }: ValuesResult): ReadonlyArray<Wanted> => {
  const [fill, filled, overwrite, rest] = phases as [Phase, Phase, Phase, Phase]
  const space = rest.diskBytes / liveBytes
  const [once, again] = [together(fill.written, filled.written), together(overwrite.written, rest.written)]
  return [
    {
      what: "the directory at rest, after overwriting",
      wanted: `≤ ${spaceMax} × live`,
      found: `${space.toFixed(3)} ×`,
      reached: space <= spaceMax
    },
    {
      what: "bytes written for each of the user's, nothing overwritten, until rest",
      wanted: `≤ ${filledMax}`,
      found: amplified(once),
      reached: once.appended / once.user <= filledMax
    },
    {
      what: "bytes written for each of the user's, keys drawn at random, until rest",
      wanted: `≤ ${overwrittenMax}`,
      found: amplified(again),
      reached: again.appended / again.user <= overwrittenMax
    },
    {
      what: "everything removed: until there is no value file",
      wanted: `≤ ${emptySecondsMax} s`,
      found: emptySeconds === undefined ? "longer than waited" : `${emptySeconds.toFixed(1)} s`,
      reached: emptySeconds !== undefined && emptySeconds <= emptySecondsMax
    }
  ]
}

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

export const report = (settings: Settings, result: ValuesResult): string => {
  const { keys, passes, valueBytes } = settings
  const processor = `${cpus().length} × ${cpus()[0]!.model}`
  const machine = `${processor}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`
  const figures = wantedOf(result).map(({ found, reached, wanted, what }) => [
    what,
    wanted,
    found,
    reached ? "" : "not reached"
  ])
  const phases = result.phases.map(({ diskBytes, name, seconds, valueFileBytes, valueFiles, written }) => [
    name,
    `${seconds.toFixed(0)} s`,
    mib(written.user),
    written.user === 0 ? mib(written.appended) : amplified(written),
    mib(diskBytes),
    `${valueFiles}, ${mib(valueFileBytes)}`
  ])
  return [
    `# ${keys.toLocaleString("en")} values of ${valueBytes.toLocaleString("en")} B, overwritten ${passes} times`,
    `${machine}. 16-byte keys, durability "os", default options; 16 sets under way at once.`,
    table(["figure", "wanted", "found", ""], figures),
    table(["phase", "time", "of the user's", "written for each", "directory", "value files"], phases),
    [
      `- live ${mib(result.liveBytes)}, state ${result.state}, resident at most ${result.peakMiB.toFixed(0)} MiB`,
      `- after everything was removed ${mib(result.emptyBytes)} are left`
    ].join("\n"),
    ""
  ].join("\n\n")
}
