// A failing plan made smaller, as long as it fails: fewer sessions, actors, operations, writes, faults and options, a
// schedule that is nearer to first come, first served, and of all power cuts the one that fails (delta debugging:
// Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002).
//
// What is left fails as the plan did: at a power cut in whatever way, in the run itself with the same words.
import { PlanFailure } from "./failure.ts"
import type { Plan, PlanOptions, Session } from "./plan.ts"
import { runPlan } from "./run.ts"

export interface Shrunk {
  readonly plan: Plan
  readonly failure: PlanFailure
  /** How often a smaller plan was tried. */
  readonly attempts: number
}

type Path = ReadonlyArray<string | number>

/** How the plan fails; undefined if it does not. */
export const failureOfPlan = (plan: Plan, until?: number): PlanFailure | undefined => {
  try {
    runPlan(plan, until === undefined ? {} : { until })
    return undefined
  } catch (error) {
    if (error instanceof PlanFailure) return error
    throw error
  }
}

const at = (value: unknown, path: Path): unknown =>
  path.reduce((inside, key) => (inside as Record<string | number, unknown>)[key], value)

/** A copy in which another value stands at the path; `undefined` leaves it out. */
const withAt = (plan: Plan, path: Path, value: unknown): Plan => {
  const copy = structuredClone(plan)
  const parent = at(copy, path.slice(0, -1)) as Record<string | number, unknown>
  if (value === undefined) delete parent[path.at(-1)!]
  else parent[path.at(-1)!] = value
  return copy
}

/** What the operation failed with; of other failures of the run, which they are. */
const kindOf = ({ message, place }: PlanFailure): string => {
  if (place !== undefined) return "a power cut"
  const [what, reason] = message.replace(/^session \d+: /, "").split(":")
  // Options that do not go together fail in their own way, and a wait that never ends is no other failure.
  if (what === "Invalid") return "options"
  if (what!.includes(" waits for more than ")) return "a wait"
  return what!.endsWith(" failed") ? `${what}:${reason}` : what!.startsWith("{") ? "an answer" : "the run"
}

class Shrinker {
  plan: Plan
  failure: PlanFailure
  attempts = 0
  private readonly until: number
  private readonly fails: typeof failureOfPlan

  constructor(
    plan: Plan,
    failure: PlanFailure,
    options: { readonly until: number; readonly fails: typeof failureOfPlan }
  ) {
    this.plan = plan
    this.failure = failure
    this.until = options.until
    this.fails = options.fails
  }

  /** Takes the smaller plan if it fails. */
  private try(plan: Plan): boolean {
    if (performance.now() > this.until) return false
    this.attempts += 1
    const failure = this.fails(plan, this.until)
    if (failure === undefined || kindOf(failure) !== kindOf(this.failure)) return false
    this.plan = plan
    this.failure = failure
    return true
  }

  private tryAt(path: Path, value: unknown): boolean {
    return this.try(withAt(this.plan, path, value))
  }

  /** Leaves out half of the list, a quarter, and so on to single items. */
  private list(path: Path): void {
    const length = () => (at(this.plan, path) as ReadonlyArray<unknown>).length
    for (let size = Math.ceil(length() / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = 0; from < length();) {
        const items = at(this.plan, path) as ReadonlyArray<unknown>
        if (!this.tryAt(path, [...items.slice(0, from), ...items.slice(from + size)])) from += size
      }
    }
  }

  private each(path: Path, visit: (path: Path) => void): void {
    const length = (at(this.plan, path) as ReadonlyArray<unknown>).length
    for (let index = length - 1; index >= 0; index--) visit([...path, index])
  }

  shrink(): void {
    if (this.failure.place === undefined) this.try({ ...this.plan, crash: { share: 0, nestedEvery: 0 } })
    else if (this.failure.place.calls.length === 1) this.tryAt(["crash", "nestedEvery"], 0)
    for (let before = -1; before !== this.size && performance.now() < this.until;) {
      before = this.size
      this.list(["sessions"])
      this.each(["sessions"], (session) => {
        this.list([...session, "faults"])
        this.list([...session, "actors"])
        this.each([...session, "actors"], (actor) => this.list(actor))
      })
      this.options()
    }
    this.operations()
    this.schedule()
    this.cut()
  }

  private get size(): number {
    return JSON.stringify({ ...this.plan, sessions: this.plan.sessions.map(({ choices: _, ...rest }) => rest) }).length
  }

  private operations(): void {
    this.each(["sessions"], (session) => {
      const { end } = at(this.plan, session) as Session
      if (end.by !== "close") this.tryAt([...session, "end"], { by: "close" })
      this.each([...session, "actors"], (actor) =>
        this.each(actor, (op) => {
          const { interruptAfter, steps, writes } = at(this.plan, op) as Record<string, unknown>
          if (interruptAfter !== undefined) this.tryAt([...op, "interruptAfter"], undefined)
          if (writes !== undefined) this.list([...op, "writes"])
          if (steps !== undefined) this.list([...op, "steps"])
        })
      )
    })
  }

  private options(): void {
    for (const name of Object.keys(this.plan.options.database)) {
      this.tryAt(["options", "database", name], undefined)
    }
    const plain: Partial<PlanOptions> = {
      encrypted: false,
      compression: "none",
      synchronousReads: false,
      yieldProbability: 0
    }
    for (const [name, value] of Object.entries(plain)) {
      if (this.plan.options[name as keyof PlanOptions] !== value) this.tryAt(["options", name], value)
    }
  }

  /** As the run was scheduled, with ever fewer choices that are not the oldest task. */
  private schedule(): void {
    const sessions = this.plan.sessions.map((session, index) => ({
      ...session,
      choices: this.failure.choices[index] ?? []
    }))
    const fifo = sessions.map((session) => ({ ...session, choices: [] }))
    if (this.try({ ...this.plan, sessions: fifo })) return
    if (!this.try({ ...this.plan, sessions })) return
    this.each(["sessions"], (session) => {
      const path = [...session, "choices"]
      if (this.tryAt(path, [])) return
      const choices = at(this.plan, path) as ReadonlyArray<number>
      for (let step = choices.length >> 1, length = choices.length; step >= 1; step >>= 1) {
        if (this.tryAt(path, choices.slice(0, length - step))) length -= step
      }
      const kept = at(this.plan, path) as ReadonlyArray<number>
      for (let size = kept.length >> 1; size >= 1; size >>= 1) {
        for (let from = 0; from < kept.length; from += size) {
          const current = at(this.plan, path) as ReadonlyArray<number>
          if (current.slice(from, from + size).every((choice) => choice === 0)) continue
          this.tryAt(
            path,
            current.map((choice, index) => (index >= from && index < from + size ? 0 : choice))
          )
        }
      }
    })
  }

  /** The cut that fails, alone. */
  private cut(): void {
    const { place } = this.failure
    if (place !== undefined) this.try({ ...this.plan, crash: { share: 0, nestedEvery: 0, only: [place] } })
  }
}

/** The plan must fail. */
export const shrink = (
  plan: Plan,
  options: { readonly until: number; readonly fails?: typeof failureOfPlan }
): Shrunk | undefined => {
  const { fails = failureOfPlan, until } = options
  const failure = fails(plan)
  if (failure === undefined) return undefined
  const shrinker = new Shrinker(plan, failure, { until, fails })
  shrinker.shrink()
  return { plan: shrinker.plan, failure: shrinker.failure, attempts: shrinker.attempts }
}
