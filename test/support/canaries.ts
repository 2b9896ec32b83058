// Random bytes in keys and values, and everything in which they must not be found again: files, log lines, spans,
// metrics, errors. Each is looked for by its halves, and in texts also as hex, base64 and lists of numbers.
import { randomBytes } from "node:crypto"
import { Cause, Effect, Logger, Metric, References, Tracer } from "effect"
import { inspect } from "node:util"

/** Of a role, so that a failure says what leaked and a plain run shows that each can be found. */
export class Canaries {
  private readonly made = new Map<string, Buffer>()

  /** 16 random bytes; every second canary is of letters and digits, as text would show it. */
  of(role: string): Buffer {
    const known = this.made.get(role)
    if (known !== undefined) return known
    const random = randomBytes(16)
    const made = this.made.size % 2 === 0 ? random : Buffer.from(random.map((byte) => letters.charCodeAt(byte % 32)))
    this.made.set(role, made)
    return made
  }

  get roles(): ReadonlyArray<string> {
    return [...this.made.keys()]
  }

  /** The roles of which a half is in the bytes. */
  inBytes(bytes: Uint8Array): ReadonlyArray<string> {
    const hay = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    return this.roles.filter((role) => halves(this.made.get(role)!).some((half) => hay.includes(half)))
  }

  /** The roles of which a half is in the text, in some form. */
  inText(text: string): ReadonlyArray<string> {
    const lower = text.toLowerCase()
    const hay = Buffer.from(text)
    return this.roles.filter((role) => {
      const canary = this.made.get(role)!
      return halves(canary).some((half) => {
        const forms = [half.toString("hex"), [...half].join(","), [...half].join(", ")]
        // Of three places in three bytes, without what depends on the neighbours.
        const base64 = [0, 1, 2].map((at) =>
          half
            .subarray(at, at + 6)
            .toString("base64")
            .toLowerCase()
        )
        const plain = [half, Buffer.from(half.toString("latin1")), Buffer.from(half.toString())]
        return [...forms, ...base64].some((form) => lower.includes(form)) || plain.some((bytes) => hay.includes(bytes))
      })
    })
  }
}

const letters = "abcdefghijklmnopqrstuvwxyz234567"
const halves = (canary: Buffer): ReadonlyArray<Buffer> => [canary.subarray(0, 8), canary.subarray(8)]

/** What was said, by anyone, in any way. */
export class Said {
  readonly lines: Array<string> = []
  private readonly spans: Array<Tracer.NativeSpan> = []

  /** Of everything that the effect logs and traces, and of its failure. */
  readonly listening = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    effect.pipe(
      Effect.tapCause((cause) => Effect.sync(() => this.failed(cause))),
      Effect.provide(Logger.layer([this.logger])),
      Effect.provideService(References.MinimumLogLevel, "All"),
      Effect.provideService(Tracer.Tracer, this.tracer)
    )

  /** The failure that there must be. */
  readonly refused = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<void, never, R> =>
    Effect.matchCause(effect, {
      onFailure: (cause) => this.failed(cause),
      onSuccess: () => {
        throw new Error("it succeeded")
      }
    })

  /** Of a database that is open. */
  readonly counted = Effect.map(Metric.snapshot, (metrics) => {
    this.lines.push(inspect(metrics, { depth: 8 }))
  })

  /** All of it, spans too. */
  get text(): string {
    const spans = this.spans.map((span) =>
      inspect([span.name, [...span.attributes], span.events, span.status, [...span.links]], { depth: 8 })
    )
    return [...this.lines, ...spans].join("\n")
  }

  get spanNames(): ReadonlySet<string> {
    return new Set(this.spans.map(({ name }) => name))
  }

  private readonly logger = Logger.make(({ cause, logLevel, message }) => {
    this.lines.push(inspect([logLevel, message, Cause.pretty(cause)], { depth: 8 }))
  })

  private readonly tracer: Tracer.Tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      this.spans.push(span)
      return span
    }
  })

  private failed(cause: Cause.Cause<unknown>): void {
    const errors = cause.reasons.map((reason) => inspect(reason, { depth: 12, showHidden: true }))
    this.lines.push(Cause.pretty(cause), JSON.stringify(cause), ...errors)
  }
}
