// Tortures the database: `npm run torture -- --minutes 30 --seed 7`.
//
//   --minutes <n>       how long (5); with --resume, in all
//   --seed <n>          of everything; printed, and random if it is not given
//   --only <names>      only these campaigns, separated by commas
//   --round <n>         with --only of one campaign: only this round of it, in this process's sight
//   --plan <file>       does the plan of the file, as a failing simulation has saved it
//   --resume            goes on where the one before was stopped (Ctrl+C, or a crash of the machine)
//   --state <file>      where it is kept what was done (.torture/state.json)
//   --cores <n>         processes at a time (2)
//   --bail              ends at the first failure
//   --list              only says which campaigns there are
//
// Ends with a table, and with 1 if a round has failed, or if half an hour of all campaigns came to less than it has to.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { campaigns } from "../test/campaigns/all.ts"
import { bundleWorker } from "./bundleWorker.ts"
import { failureText, statusOf, verdictOf } from "./torture/report.ts"
import { RoundProcess } from "./torture/roundProcess.ts"
import { seedOf, State } from "./torture/state.ts"
import { Torture } from "./torture/torture.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string" },
    only: { type: "string" },
    round: { type: "string" },
    plan: { type: "string" },
    resume: { type: "boolean", default: false },
    state: { type: "string", default: ".torture/state.json" },
    cores: { type: "string", default: "2" },
    bail: { type: "boolean", default: false },
    list: { type: "boolean", default: false }
  }
})

const millis = Number(values.minutes) * 60_000
const names = values.only?.split(",")
for (const name of names ?? []) {
  if (!campaigns.some((one) => one.name === name)) throw new Error(`there is no campaign ${name}: see --list`)
}
const chosen = campaigns.filter(({ name }) => names === undefined || names.includes(name))

/** While this runs there is a place for the programs of threads and processes. */
const withPrograms = async <A>(body: (programs: string) => Promise<A>): Promise<A> => {
  const programs = mkdtempSync(join(tmpdir(), "strata-torture-"))
  try {
    await bundleWorker(programs)
    return await body(programs)
  } finally {
    rmSync(programs, { recursive: true, force: true })
  }
}

/** One round, and what it came to. */
const oneRound = (name: string, round: number): Promise<boolean> =>
  withPrograms(async (programs) => {
    const seed = Number(values.seed ?? 1)
    const rounds = new RoundProcess(name, programs)
    const report = await rounds.run({ round, seed: seedOf(seed, round), millis })
    rounds.stop()
    if (report.failure !== undefined) console.log(failureText(seed, { campaign: name, round, message: report.failure }))
    const counts = [...report.counts, ["images", report.images.length], ...report.reached]
    for (const [what, count] of counts) console.log(`  ${String(count).padStart(12)}  ${what}`)
    console.log(`${name}, round ${round}: ${report.failure === undefined ? "passed" : "FAILED"}`)
    return report.failure === undefined
  })

const replay = async (file: string): Promise<boolean> => {
  const campaign = campaigns.find(({ replay }) => replay !== undefined)
  if (campaign === undefined) throw new Error("there is no campaign with plans")
  await campaign.replay!(file)
  console.log(`${file}: passed`)
  return true
}

const isTerminal = process.stdout.isTTY === true
let isStopped = false

const all = (): Promise<boolean> =>
  withPrograms(async (programs) => {
    const seed = Number(values.seed ?? 1 + (Date.now() % 997))
    const state = values.resume ? State.load(values.state) : State.make(values.state, seed)
    const told = state.saved.failures.length
    let failures = told
    let atLine = false
    const say = (text: string) => {
      if (atLine) process.stdout.write("\r\x1b[2K")
      atLine = false
      console.log(text)
    }
    const tellFailures = () => {
      for (const failure of state.saved.failures.slice(failures)) say(failureText(state.saved.seed, failure))
      failures = state.saved.failures.length
    }
    const torture = new Torture({
      campaigns: chosen,
      state,
      start: (name) => new RoundProcess(name, programs),
      millis,
      cores: Number(values.cores),
      isBailing: values.bail,
      onRound: tellFailures,
      isStopped: () => isStopped
    })
    const status = () => {
      const line = statusOf(torture, state, millis)
      if (!isTerminal) return say(line)
      process.stdout.write(`\r\x1b[2K${line.slice(0, process.stdout.columns - 1)}`)
      atLine = true
    }
    say(`seed ${state.saved.seed}, ${chosen.length} campaigns, ${values.cores} processes`)
    const timer = setInterval(status, isTerminal ? 500 : 10_000)
    const stop = () => {
      isStopped = true
      torture.stop()
      say(`stopped; it goes on with --resume --minutes ${values.minutes}`)
    }
    process.once("SIGINT", stop)
    process.once("SIGTERM", stop)
    await torture.run()
    clearInterval(timer)
    const { isPassed, lines } = verdictOf(state, names === undefined)
    say(lines.join("\n"))
    return isPassed && !isStopped
  })

if (values.list) {
  for (const { about, name, weight } of chosen)
    console.log(`${name.padEnd(20)} ${String(weight).padStart(3)}  ${about}`)
} else {
  const isPassed =
    values.plan !== undefined
      ? await replay(values.plan)
      : values.round !== undefined && names?.length === 1
        ? await oneRound(names[0]!, Number(values.round))
        : await all()
  process.exitCode = isPassed ? 0 : 1
}
