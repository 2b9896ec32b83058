// Would the campaigns of `npm run torture` notice? `npm run calibrate`.
//
//   --seconds <n>      how long they have (60)
//   --seed <n>         of the campaigns (1)
//   --only <regex>     the defects whose names match
//
// Each defect is switched on in a scratch copy of the tree, in which the campaigns run until one fails. One that is not
// noticed in time is a failure, and so is a campaign that fails in a copy without a defect.
import { parseArgs } from "node:util"
import { type Defect, defectsOf } from "./mutants/defects.ts"
import { patched } from "./mutants/planted.ts"
import { culprit, disks, readSources, Sandbox, type Suite } from "./mutants/sandbox.ts"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "" }
  }
})

/** Those that are quick to notice what is lost. */
const campaigns = ["power-cuts", "histories", "tampering", "simulation", "visibility", "manifest", "log"]
const seconds = Number(values.seconds)
/** A round that has begun ends, and a process starts: what the campaigns are not told to take. */
const graceSeconds = 0.2 * seconds

const minutes = (seconds - graceSeconds) / 60

const suiteOf = (names: ReadonlyArray<string>): Suite => {
  const flags = `--minutes ${minutes} --seed ${values.seed} --only ${names.join(",")} --bail`
  return { name: names.join(", "), command: ["scripts/torture.ts", ...flags.split(" ")], env: {} }
}

interface Row {
  readonly name: string
  /** By which campaign or test, and what it said. */
  readonly noticed: string | undefined
  readonly seconds: number
}

/** Of a table: what a run says first of what is wrong. */
const cause = (output: string): string => {
  const [, campaign, text] = /^FAILED (\S+), again with\n.*\n([^]*?)\n\n/m.exec(output) ?? []
  if (campaign === undefined) return culprit(output)
  const told = text!.split("\n").map((line) => line.trim().replace(/^\[?cause\]?: /, ""))
  const reason = told.find((line) => /^(?:Assertion)?Error: (?!seed|plan|cut|history)/.test(line)) ?? told[0]!
  return `${campaign}: ${reason}`
}

const sources = readSources()

const tryDefect = async (
  sandbox: Sandbox,
  { campaigns: own = campaigns, edits, isOfMachine, name }: Defect
): Promise<Row> => {
  const startedAt = performance.now()
  const used = () => (performance.now() - startedAt) / 1000
  const { code, output } = await sandbox.with(patched(sources, edits), sources, () =>
    sandbox.run(isOfMachine ? disks : suiteOf(own), seconds)
  )
  const isNoticed = code !== 0 && code !== undefined
  return { name, noticed: isNoticed ? cause(output).slice(0, 150) : undefined, seconds: used() }
}

const show = ({ name, noticed, seconds }: Row): void =>
  console.log(`${name.padEnd(44)} ${seconds.toFixed(0).padStart(3)} s  ${noticed ?? "NOT NOTICED"}`)

const defects = defectsOf(sources).filter(({ name }) => new RegExp(values.only).test(name))
const others = new Set(defects.flatMap(({ campaigns: own = [] }) => own))

const sandbox = new Sandbox()
process.on("exit", () => sandbox.remove())
for (const one of [suiteOf(campaigns), ...[...others].map((name) => suiteOf([name])), disks]) {
  const { code, output } = await sandbox.run(one, 3 * seconds)
  if (code !== 0) throw new Error(`${one.name} fail without a defect: ${cause(output)}\n${output.slice(-5000)}`)
  console.log(`without a defect (seed ${values.seed}): ${one.name} pass`)
}
const rows: Array<Row> = []
for (const defect of defects) {
  const row = await tryDefect(sandbox, defect)
  show(row)
  rows.push(row)
}
const hidden = rows.filter(({ noticed }) => noticed === undefined)
console.log(`${rows.length - hidden.length} of ${rows.length} defects noticed within ${seconds} s`)
if (hidden.length > 0) process.exitCode = 1
