// A history from real processes: clients on the real disk, with worker threads. Some of the processes are killed at a
// random moment, and the next one goes on with what is there; what was written to the operating system must be.
//
// What happens when is not the seed's alone: the same seed tries the same, and may see something else.
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { OptionsInput } from "../../src/services/Options.ts"
import { bundledProgram, programOnce } from "../support/bundledProgram.ts"
import { Dice } from "../support/randomPlan.ts"
import { type Anomaly, check } from "./checker.ts"
import type { Event } from "./events.ts"
import { type Line, linesOf, type RealTask } from "./realLines.ts"
import { Timeline } from "./timeline.ts"
import type { Load } from "./workload.ts"

/** The clients' program. */
const program = programOnce(() => bundledProgram(new URL("./realWriter.ts", import.meta.url)))

const realOptions = (dice: Dice): OptionsInput => ({
  arenaBytes: dice.pick([4096, 16_384, 65_536]),
  valueThreshold: dice.pick([16, 40, 1024]),
  directValueBytesMin: dice.pick([64, 256 * 1024]),
  valueFileBytesMax: 4096,
  blockBytes: dice.pick([64, 4096]),
  cacheBytes: dice.pick([0, 65_536]),
  level0TablesMin: dice.pick([1, 2, 4]),
  baseLevelBytes: 8192,
  levelRatio: 2,
  tableBytesMax: 4096,
  manifestBytesMax: 4096,
  sequencesReserved: dice.pick([16, 1024]),
  flushDelayMillis: dice.pick([1, 20]),
  conflictBytesMax: dice.pick([4096, 32 * 1024 * 1024]),
  synchronousReads: dice.chance(50),
  workers: 2
})

interface Life {
  readonly lines: ReadonlyArray<Line>
  readonly wasKilled: boolean
}

/** A process that is not through by then hangs. */
const lifeMillisMax = 120_000

/** Runs the task to its end, or until it is killed so many milliseconds after it gave its sign. */
const live = (path: string, task: RealTask, killMillis: number | undefined) =>
  new Promise<Life>((resolve, reject) => {
    const child = spawn(process.execPath, [path, JSON.stringify(task)])
    const limit = setTimeout(() => child.kill("SIGKILL"), lifeMillisMax)
    let errors = ""
    let killing: NodeJS.Timeout | undefined = undefined
    child.stderr.on("data", (chunk) => (errors += chunk))
    child.stdout.on("data", () => {
      if (killMillis !== undefined) killing ??= setTimeout(() => child.kill("SIGKILL"), killMillis)
    })
    child.on("error", reject)
    child.on("close", (code) => {
      clearTimeout(limit)
      clearTimeout(killing)
      const out = existsSync(task.lines) ? readFileSync(task.lines, "utf8") : ""
      rmSync(task.lines, { force: true })
      const wasKilled = code === null && killing !== undefined
      if (code === 0 || wasKilled) resolve({ lines: linesOf(out), wasKilled })
      else reject(new Error(`clients ended (${code ?? "it took too long"}): ${errors}\n${out.slice(-2000)}`))
    })
  })

const isEvent = (line: Line): line is Event => line.type !== "found" && line.type !== "look"

export interface RealOptions {
  readonly seed: number
  readonly committedEnough?: number | undefined
  /** Processes, one after the other, of which the last is never killed. */
  readonly lives?: number | undefined
}

export interface Real {
  readonly timeline: Timeline
  readonly violations: ReadonlyArray<Anomaly>
  readonly allowed: ReadonlyArray<Anomaly>
  readonly kills: number
  readonly encrypted: boolean
}

class Run {
  readonly timeline = new Timeline()
  kills = 0
  private readonly path: string
  private readonly dice: Dice
  private readonly committedEnough: number
  private readonly lives: number
  private readonly root = mkdtempSync(join(tmpdir(), "strata-history-"))
  private readonly options: OptionsInput
  readonly encrypted: boolean
  private readonly load: Omit<Load, "recorder" | "committedEnough">
  private committed = 0
  private firstId = 0
  /** Of the last process that opened the database, and whether that was killed. */
  private said: ReadonlyArray<Event> = []
  private wasKilled = false

  constructor(path: string, { committedEnough = 540, lives, seed }: RealOptions) {
    const dice = new Dice(seed)
    this.path = path
    this.dice = dice
    this.committedEnough = committedEnough
    this.lives = lives ?? 3 + dice.below(4)
    this.options = realOptions(dice)
    this.encrypted = dice.chance(30)
    const isolation = dice.pick(["serializable", "serializable", "snapshot", undefined] as const)
    const [lists, groups, clients] = [dice.pick([8, 16, 32]), 1 + dice.below(4), 8 + dice.below(25)]
    this.load = { isolation, lists, groups, clients, triedMax: 4000 }
  }

  async go(): Promise<void> {
    const share = Math.ceil(this.committedEnough / this.lives)
    for (let life = 1; life < this.lives; life++) {
      const isKilled = this.dice.chance(80)
      await this.live({ committed: share, signalAfter: isKilled ? this.dice.below(share * 5) : 0 })
    }
    await this.live({ committed: Math.max(share, this.committedEnough - this.committed), signalAfter: 0 })
    const look = (await this.live(undefined)).find((line) => line.type === "look")!
    if (look.damage.length > 0) throw new Error(`damage: ${look.damage.join("; ")}`)
    this.timeline.seen(this.firstId, look.operations)
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }

  private async live(
    work: { readonly committed: number; readonly signalAfter: number } | undefined
  ): Promise<ReadonlyArray<Line>> {
    this.firstId += 1e6
    const { dice, firstId, options, root } = this
    const { signalAfter = 0 } = work ?? {}
    const places = { directory: join(root, "db"), lines: join(root, "lines") }
    const common = { ...places, options, encrypted: this.encrypted, firstId, signalAfter }
    const load = work && { ...this.load, committedEnough: work.committed }
    const task = { ...common, seed: dice.below(1e9), load }
    const { lines, wasKilled } = await live(this.path, task, signalAfter > 0 ? dice.below(30) : undefined)
    if (wasKilled) this.kills += 1
    const [first] = lines
    // Killed before it was open: it has done nothing.
    if (first?.type === "found") this.takeUp({ lines, wasKilled }, new Map(first.markers))
    return lines
  }

  /** What the process before said, held against what this one found. */
  private takeUp({ lines, wasKilled }: Life, found: ReadonlyMap<number, number>): void {
    const { said, wasKilled: mayLose } = this
    this.timeline.end(said, { found, survives: (durability) => !mayLose || durability !== "buffered" })
    this.said = lines.filter(isEvent)
    this.wasKilled = wasKilled
    this.committed += this.said.filter((event) => event.type === "end" && event.outcome === "committed").length
  }
}

/** In a directory of its own; rejects if a commit is lost, or anything fails. */
export const realHistory = async (options: RealOptions): Promise<Real> => {
  const run = new Run(await program(), options)
  try {
    await run.go()
  } finally {
    run.remove()
  }
  const { encrypted, kills, timeline } = run
  const violations = [timeline.happened, ...timeline.branches].flatMap((history) => check(history))
  const allowed = violations.length > 0 ? [] : check(timeline.happened, "serializable")
  return { timeline, violations, allowed, kills, encrypted }
}
