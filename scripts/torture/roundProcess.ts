// A process that does rounds of one campaign, one at a time, as its starter sees it. One that dies, or does not end
// a round, has failed in it; then it is no longer of use.
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { RoundOrder, RoundReport } from "./messages.ts"

/** Of a campaign, for some of its rounds. */
export interface Rounds {
  readonly run: (order: RoundOrder) => Promise<RoundReport>
  readonly isAlive: () => boolean
  readonly stop: () => void
}

/** A round is late when it has taken so much longer than it should. */
const graceMillis = 300_000
const linesKept = 40

export class RoundProcess implements Rounds {
  private readonly child: ChildProcess
  private readonly ready: Promise<void>
  private output = ""
  private ended: string | undefined

  constructor(campaign: string, programs: string) {
    const program = fileURLToPath(new URL("roundProgram.ts", import.meta.url))
    this.child = spawn(process.execPath, [program, campaign], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { ...process.env, STRATA_PROGRAMS: programs }
    })
    const keep = (chunk: Buffer) => (this.output = (this.output + chunk.toString()).slice(-10_000))
    this.child.stdout!.on("data", keep)
    this.child.stderr!.on("data", keep)
    this.child.on("exit", (code, signal) => (this.ended = `the process ended (${code ?? signal})`))
    this.ready = new Promise((resolve) => {
      this.child.once("message", () => resolve())
      this.child.once("exit", () => resolve())
    })
  }

  isAlive(): boolean {
    return this.ended === undefined
  }

  async run(order: RoundOrder): Promise<RoundReport> {
    await this.ready
    const startedAt = performance.now()
    return new Promise((resolve) => {
      const settle = (report: Partial<RoundReport> & Pick<RoundReport, "failure">) => {
        clearTimeout(timer)
        this.child.off("message", onMessage)
        this.child.off("close", onClose)
        const millis = performance.now() - startedAt
        resolve({ round: order.round, counts: [], reached: [], covered: [], images: [], millis, ...report })
      }
      const onMessage = (report: RoundReport) => settle(report)
      const onClose = () => settle({ failure: `${this.ended}\n${this.tail()}` })
      const timer = setTimeout(() => {
        this.stop()
        settle({ failure: `the round did not end within ${(order.millis + graceMillis) / 1000} s\n${this.tail()}` })
      }, order.millis + graceMillis)
      this.child.on("message", onMessage)
      this.child.on("close", onClose)
      if (this.ended === undefined) this.child.send(order)
      else onClose()
    })
  }

  stop(): void {
    this.ended ??= "the process was stopped"
    this.child.kill("SIGKILL")
  }

  private tail(): string {
    return this.output.split("\n").slice(-linesKept).join("\n")
  }
}
