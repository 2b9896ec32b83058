// Shares out the time among the campaigns: so many processes at a time as there are cores, each with some rounds of one
// campaign. The next to have a turn is the one that has had the least for its weight.
import type { Campaign } from "../../test/campaigns/campaign.ts"
import type { Rounds } from "./roundProcess.ts"
import { seedOf, type State } from "./state.ts"

/** What of a campaign counts here. */
export type Share = Pick<Campaign, "name" | "weight">

export interface Tortured {
  readonly campaigns: ReadonlyArray<Share>
  readonly state: State
  readonly start: (campaign: string) => Rounds
  /** In all, with what the state says was used before. */
  readonly millis: number
  readonly cores: number
  /** At the first failure all that is under way is stopped. */
  readonly isBailing?: boolean
  /** Is told of each round that has ended. */
  readonly onRound?: () => void
  /** Rounds are begun while this is false. */
  readonly isStopped?: () => boolean
  readonly now?: () => number
}

/** Of one turn. A process is started for each, so that what leaks in one does not end the others. */
const turnMillisMin = 5000
const turnMillisMax = 60_000

export class Torture {
  /** Of the turns under way, each in the name of a campaign. */
  readonly turns = new Map<number, string>()
  private readonly given: Tortured
  private readonly now: () => number
  private readonly startedAt: number
  private readonly before: number
  private readonly turnMillis: number
  private readonly running = new Map<string, Set<number>>()
  private readonly processes = new Set<Rounds>()

  constructor(given: Tortured) {
    this.given = given
    this.now = given.now ?? (() => performance.now())
    this.startedAt = this.now()
    this.before = given.state.saved.millis
    const share = (this.millisLeft() * given.cores) / given.campaigns.length / 3
    this.turnMillis = Math.min(turnMillisMax, Math.max(turnMillisMin, share))
  }

  millisUsed(): number {
    return this.before + this.now() - this.startedAt
  }

  millisLeft(): number {
    return this.given.millis - this.millisUsed()
  }

  /** Until the time is over. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.given.cores }, (_, core) => this.work(core)))
    this.save()
  }

  private get isStopped(): boolean {
    const { isBailing = false, isStopped = () => false, state } = this.given
    return isStopped() || (isBailing && state.saved.failures.length > 0)
  }

  private get isOver(): boolean {
    return this.millisLeft() <= 0 || this.isStopped
  }

  /** All rounds that are under way: they are done again when all goes on. */
  stop(): void {
    for (const rounds of this.processes) rounds.stop()
  }

  private async work(core: number): Promise<void> {
    while (!this.isOver) {
      const name = this.choose()
      this.turns.set(core, name)
      await this.turn(name, Math.min(this.turnMillis, this.millisLeft()))
      this.turns.delete(core)
      this.save()
    }
  }

  /** Rounds of one campaign, the last of which may begin just before the turn is over. */
  private async turn(name: string, millis: number): Promise<void> {
    const { onRound = () => {}, start, state } = this.given
    const endsAt = this.now() + millis
    const rounds = start(name)
    this.processes.add(rounds)
    const mine = this.running.get(name) ?? new Set()
    this.running.set(name, mine)
    while (!this.isOver && rounds.isAlive() && this.now() < endsAt) {
      const round = state.begin(name, mine)
      mine.add(round)
      const report = await rounds.run({ round, seed: seedOf(state.saved.seed, round), millis: endsAt - this.now() })
      mine.delete(round)
      // A process that was stopped from outside has not failed.
      if (report.failure !== undefined && this.isStopped) break
      state.end(name, report)
      onRound()
    }
    rounds.stop()
    this.processes.delete(rounds)
    if (this.isStopped) this.stop()
  }

  private choose(): string {
    const { campaigns, state } = this.given
    const cost = ({ name, weight }: Share) => {
      const turns = [...this.turns.values()].filter((one) => one === name).length
      return (state.progress(name).millis + turns * this.turnMillis) / weight
    }
    return campaigns.reduce((least, one) => (cost(one) < cost(least) ? one : least)).name
  }

  private save(): void {
    this.given.state.saved.millis = this.millisUsed()
    this.given.state.save()
  }
}
