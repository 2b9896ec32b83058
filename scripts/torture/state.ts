// What a torture has done so far, kept in a file so that it can go on after it was stopped: the next round of each
// campaign, those that were not ended, the counts, and the digests of all images.
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import type { RoundReport } from "./messages.ts"

export interface Failure {
  readonly campaign: string
  readonly round: number
  readonly message: string
}

interface Progress {
  next: number
  /** Begun, and not ended. */
  readonly open: Array<number>
  rounds: number
  millis: number
}

interface Saved {
  readonly seed: number
  millis: number
  readonly campaigns: Record<string, Progress>
  readonly counts: Record<string, number>
  readonly reached: Record<string, number>
  /** Of wholes that are shared out among rounds, what was done, and how much each is. */
  readonly covered: Record<string, { readonly items: Array<string>; readonly of: number }>
  readonly failures: Array<Failure>
}

/** Rounds are numbered from here, so that a campaign can share out what there is to do by the numbers of its rounds. */
const roundsPerSeed = 1_000_000

export const seedOf = (seed: number, round: number): number => seed * roundsPerSeed + round

export class State {
  readonly saved: Saved
  private readonly path: string | undefined
  private readonly images = new Set<string>()
  private fresh: Array<string> = []

  private constructor(path: string | undefined, saved: Saved) {
    this.path = path
    this.saved = saved
  }

  /** Nothing done. Without a path nothing is kept. */
  static make(path: string | undefined, seed: number): State {
    if (path !== undefined) {
      mkdirSync(dirname(path), { recursive: true })
      rmSync(imagesOf(path), { force: true })
    }
    const none = { campaigns: {}, counts: {}, reached: {}, covered: {}, failures: [] }
    const state = new State(path, { seed, millis: 0, ...none })
    state.save()
    return state
  }

  static load(path: string): State {
    if (!existsSync(path)) throw new Error(`there is nothing to resume at ${path}`)
    const state = new State(path, JSON.parse(readFileSync(path, "utf8")) as Saved)
    const images = existsSync(imagesOf(path)) ? readFileSync(imagesOf(path), "utf8").split("\n") : []
    for (const digest of images) if (digest !== "") state.images.add(digest)
    state.saved.counts.images = state.images.size
    return state
  }

  progress(campaign: string): Progress {
    return (this.saved.campaigns[campaign] ??= { next: 0, open: [], rounds: 0, millis: 0 })
  }

  /** The next round: one that was begun before this process, or a new one. */
  begin(campaign: string, running: ReadonlySet<number>): number {
    const progress = this.progress(campaign)
    const left = progress.open.find((round) => !running.has(round))
    if (left !== undefined) return left
    const round = progress.next
    progress.next += 1
    progress.open.push(round)
    return round
  }

  end(campaign: string, report: RoundReport): void {
    const { counts, covered, failures, reached } = this.saved
    const progress = this.progress(campaign)
    progress.open.splice(progress.open.indexOf(report.round), 1)
    progress.rounds += 1
    progress.millis += report.millis
    for (const [name, count] of report.counts) counts[name] = (counts[name] ?? 0) + count
    for (const [situation, count] of report.reached) {
      if (count > 0) reached[situation] = (reached[situation] ?? 0) + count
    }
    for (const [whole, items, of] of report.covered) {
      covered[whole] = { items: [...new Set([...(covered[whole]?.items ?? []), ...items])], of }
    }
    for (const digest of report.images) {
      if (this.images.has(digest)) continue
      this.images.add(digest)
      this.fresh.push(digest)
    }
    counts.images = this.images.size
    if (report.failure !== undefined) failures.push({ campaign, round: report.round, message: report.failure })
  }

  save(): void {
    if (this.path === undefined) return
    if (this.fresh.length > 0) appendFileSync(imagesOf(this.path), `${this.fresh.join("\n")}\n`)
    this.fresh = []
    writeFileSync(`${this.path}.new`, JSON.stringify(this.saved, undefined, 1))
    renameSync(`${this.path}.new`, this.path)
  }
}

const imagesOf = (path: string): string => `${path}.images`
