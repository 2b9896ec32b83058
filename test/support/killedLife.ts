// The life of a store whose writers are killed, one after the other: at a device call, before or after it, right after
// a promise, or at some moment. After each everything that was acknowledged has to be there (`killedStore.ts`).
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { bundledProgram } from "./bundledProgram.ts"
import type { Given } from "./killedCalls.ts"
import type { Kill } from "./killingDisk.ts"
import { checkAll, checkCopy, Promised } from "./killedStore.ts"
import { Dice } from "./randomPlan.ts"

/** What became of a writer. */
export interface Killed {
  /** `false`: it had ended before. */
  readonly isKilled: boolean
  /** The step that it was in; `open`: it was not open yet, `unknown`: nobody said. */
  readonly step: string
  /** `before append log`, where it was killed at a call; `after synced`, where it was killed after a promise. */
  readonly call: string | undefined
  /** Whether there was a store before it. */
  readonly isFirst: boolean
}

export interface Programs {
  /** `killedCalls.ts` */
  readonly calls: string
  /** `killedWriter.ts` */
  readonly writer: string
  readonly remove: () => void
}

export const killedPrograms = async (): Promise<Programs> => {
  const calls = await bundledProgram(new URL("killedCalls.ts", import.meta.url))
  const writer = await bundledProgram(new URL("killedWriter.ts", import.meta.url))
  const remove = () => {
    calls.remove()
    writer.remove()
  }
  return { calls: calls.program, writer: writer.program, remove }
}

/** A clean session makes about so many. */
const callsMax = { all: 600, changing: 360 }
const promisesMax = 25
/** The first of them open the store. */
const callsOfOpening = 45
const millisMax = 60_000

interface Ended {
  readonly lines: ReadonlyArray<string>
  readonly isKilled: boolean
}

/** Runs it to its end, or kills it so long after it has opened. */
const ended = (args: ReadonlyArray<string>, killAfterMillis?: number): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...args], { stdio: ["ignore", "pipe", "pipe"] })
    let out = ""
    let errors = ""
    let armed = false
    let timer = setTimeout(() => child.kill("SIGABRT"), millisMax)
    child.stderr.on("data", (chunk) => (errors += chunk))
    child.stdout.on("data", (chunk) => {
      out += chunk
      if (armed || killAfterMillis === undefined || !out.includes("open")) return
      armed = true
      clearTimeout(timer)
      timer = setTimeout(() => child.kill("SIGKILL"), killAfterMillis)
    })
    child.on("error", reject)
    child.on("close", (code, signal) => {
      clearTimeout(timer)
      // The last line may be cut; every whole one was printed after its acknowledgement.
      const lines = out.split("\n").slice(0, -1)
      if (signal === "SIGKILL" || code === 0) resolve({ lines, isKilled: code !== 0 })
      else reject(new Error(`the writer ended by itself (${code ?? signal}), ${lines.at(-1)}: ${errors}`))
    })
  })

const lastOf = (lines: ReadonlyArray<string>, word: string): string | undefined =>
  lines.findLast((line) => line.startsWith(`${word} `))?.slice(word.length + 1)

const randomKill = (dice: Dice): Kill => {
  const among = dice.pick(["all", "changing", "changing"] as const)
  const call = dice.below(dice.chance(25) ? callsOfOpening : callsMax[among])
  return { among, call, when: dice.pick(["before", "after"]) }
}

class Life {
  private readonly promised = new Promised()
  private readonly store: { readonly directory: string; readonly sealed: boolean }
  private readonly programs: Programs
  private readonly dice: Dice
  private run = 0
  private readonly isLazy: boolean

  constructor(
    dice: Dice,
    place: string,
    { isLazy, programs }: { readonly isLazy: boolean; readonly programs: Programs }
  ) {
    this.isLazy = isLazy
    this.dice = dice
    this.programs = programs
    this.store = { directory: join(place, "store"), sealed: dice.chance(30) }
  }

  /** One writer, and what is there after it. */
  async next(): Promise<Killed> {
    const { dice, store } = this
    const run = this.run++
    const kind = dice.below(20)
    const kill = kind < 13 ? randomKill(dice) : undefined
    const killAfterPromises = kind < 13 || kind > 15 ? undefined : 1 + dice.below(promisesMax)
    const seed = dice.below(1e9)
    const writer = [this.programs.writer, store.directory, `${seed}`, `${run}`, ...(store.sealed ? ["sealed"] : [])]
    const given: Given = { ...store, seed, run, kill, killAfterPromises, isLazy: this.isLazy }
    const { isKilled, lines } =
      kill === undefined && killAfterPromises === undefined
        ? await ended(writer, dice.below(dice.chance(30) ? 3 : 60))
        : await ended([this.programs.calls, JSON.stringify(given)])
    const isOpen = lines.some((line) => line.startsWith("open "))
    const step = isOpen ? (lastOf(lines, "step") ?? "unknown") : "open"
    const call = lastOf(lines, "killed")
    try {
      await Effect.runPromise(this.judge(lines, isKilled))
    } catch (cause) {
      throw new Error(`${store.sealed ? "encrypted, " : ""}run ${run}, ${step}, ${call}`, { cause })
    }
    return { isKilled, step, call, isFirst: run === 0 }
  }

  private judge(lines: ReadonlyArray<string>, isKilled: boolean) {
    const { promised, store } = this
    return Effect.gen({ self: this as Life }, function* (this: Life) {
      promised.note(lines)
      if (!isKilled) promised.closed()
      yield* checkAll(store, promised)
      yield* this.judgeCopies(lines)
    })
  }

  private judgeCopies(lines: ReadonlyArray<string>) {
    const copied = lines.filter((line) => line.startsWith("copied ")).map((line) => line.slice("copied ".length))
    const killedIn = lastOf(lines, "step") === "checkpoint" ? copyOf(this.store.directory, lines, this.run - 1) : []
    return Effect.forEach(
      [...new Set([...copied, ...killedIn])],
      (directory) =>
        Effect.ensuring(
          checkCopy({ ...this.store, directory }, copied.includes(directory)),
          Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
        ),
      { discard: true }
    )
  }
}

/** The copy that was being made. */
const copyOf = (directory: string, lines: ReadonlyArray<string>, run: number): ReadonlyArray<string> => [
  `${directory}-copy-${run}-${lines.filter((line) => line.startsWith("copied ")).length}`
]

/** So many writers of one store, or fewer when the time is over; one at least. */
export const killedLife = async (
  seed: number,
  programs: Programs,
  options: {
    readonly cycles: number
    readonly isOver?: () => boolean
    readonly onKilled: (killed: Killed) => void
    /** On a disk that lies: it has to be noticed. */
    readonly isLazy?: boolean
  }
): Promise<void> => {
  const place = mkdtempSync(join(tmpdir(), "strata-kills-"))
  try {
    const life = new Life(new Dice(seed), place, { programs, isLazy: options.isLazy ?? false })
    for (let cycle = 0; cycle < options.cycles && (cycle === 0 || options.isOver?.() !== true); cycle++) {
      options.onKilled(await life.next())
    }
  } catch (cause) {
    throw new Error(`killed writers, seed ${seed}`, { cause })
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}
