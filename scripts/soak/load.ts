// What a soak does to a database: writers, each with keys of its own, so that all of it is known and can be checked at
// any time; readers, snapshots that are held, transactions, ranges that go, values that expire, and from time to time
// what maintenance there is.
import { Effect, Stream } from "effect"
import type { Operation } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Opened } from "../../test/support/opened.ts"
import { Dice } from "../../test/support/randomPlan.ts"

const writers = 4
const keysPerWriter = 4000
const lengths = [20, 100, 100, 400, 400, 1500, 6000]

/** What a key holds: its version and length; `undefined`: nothing. */
type Known = { readonly version: number; readonly length: number } | undefined

const text = new TextDecoder()

const valueOf = (key: string, { length, version }: NonNullable<Known>): string =>
  `${key}/${version}/`.padEnd(length, "v")

export class Load {
  readonly known = new Map<string, NonNullable<Known>>()
  commits = 0
  reads = 0
  private version = 0
  private isOver = false
  private readonly dice: Dice

  constructor(seed: number) {
    this.dice = new Dice(seed)
  }

  /** Every key once, so that what is live is as much as it will be. */
  fill({ database }: Opened): Effect.Effect<void, DatabaseError> {
    const keys = Array.from({ length: writers * keysPerWriter }, (_, index) => index)
    return Effect.forEach(
      keys,
      (index) => {
        const key = `${index % writers}/${String(Math.floor(index / writers)).padStart(5, "0")}`
        this.version += 1
        const known = { version: this.version, length: this.dice.pick(lengths) }
        this.known.set(key, known)
        return database.set(key, valueOf(key, known), { durability: "buffered" })
      },
      { discard: true }
    )
  }

  /** Until the time is over. */
  run(opened: Opened, seconds: number): Effect.Effect<void, DatabaseError> {
    this.isOver = false
    const fibers = [
      ...Array.from({ length: writers }, (_, writer) => this.repeat(() => this.write(opened, writer))),
      this.repeat(() => this.read(opened)),
      this.repeat(() => this.hold(opened)),
      this.repeat(() => this.maintain(opened))
    ]
    const stop = Effect.andThen(
      Effect.sleep(seconds * 1000),
      Effect.sync(() => (this.isOver = true))
    )
    return Effect.all([...fibers, stop], { concurrency: "unbounded", discard: true })
  }

  private repeat(body: () => Effect.Effect<unknown, DatabaseError>): Effect.Effect<void, DatabaseError> {
    return Effect.whileLoop({ while: () => !this.isOver, body, step: () => {} })
  }

  private keyOf(writer: number): string {
    const { dice } = this
    // One in four is among a few that are written all the time.
    return `${writer}/${String(dice.below(dice.chance(25) ? 50 : keysPerWriter)).padStart(5, "0")}`
  }

  private write({ database }: Opened, writer: number) {
    const { dice } = this
    const changes = new Map<string, Known>()
    for (let count = 1 + dice.below(6); count > 0; count--) {
      this.version += 1
      const change = { version: this.version, length: dice.chance(1) ? 60_000 : dice.pick(lengths) }
      changes.set(this.keyOf(writer), dice.chance(15) ? undefined : change)
    }
    const operations: Array<Operation> = [...changes].map(([key, change]) =>
      change === undefined ? { type: "remove", key } : { type: "set", key, value: valueOf(key, change) }
    )
    const expiring = { type: "set", key: `expiring/${this.version}`, value: "soon", ttlMillis: 5000 } as const
    const durability = dice.pick(["disk", "os", "os", "buffered"] as const)
    const commit: Effect.Effect<unknown, DatabaseError> = dice.chance(10)
      ? database.transaction((tx) =>
          Effect.forEach(operations, (one) =>
            one.type === "set" ? tx.set(one.key, one.value) : one.type === "remove" ? tx.remove(one.key) : Effect.void
          )
        )
      : database.write(dice.chance(20) ? [...operations, expiring] : operations, { durability })
    return Effect.andThen(commit, () => {
      this.commits += 1
      for (const [key, change] of changes) {
        if (change === undefined) this.known.delete(key)
        else this.known.set(key, change)
      }
      return Effect.sleep(1 + dice.below(4))
    })
  }

  private read({ database }: Opened) {
    const { dice } = this
    this.reads += 1
    const prefix = this.keyOf(dice.below(writers)).slice(0, -1 - dice.below(2))
    const ranges = Stream.runDrain(database.scan({ prefix, reverse: dice.chance(50) }))
    const one = Effect.andThen(database.get(this.keyOf(dice.below(writers))), database.count({ prefix }))
    return Effect.andThen(dice.chance(30) ? ranges : one, Effect.sleep(1 + dice.below(10)))
  }

  /** A snapshot that stays the same for a while. */
  private hold({ database }: Opened) {
    const prefix = `${this.dice.below(writers)}/0${this.dice.below(4)}`
    return Effect.scoped(
      Effect.gen(function* () {
        const snapshot = yield* database.snapshot
        const before = yield* snapshot.count({ prefix })
        yield* Effect.sleep(500)
        if ((yield* snapshot.count({ prefix })) !== before)
          return yield* Effect.die(new Error("a snapshot has changed"))
      })
    )
  }

  private maintain({ database, maintenance }: Opened) {
    const turn = this.dice.below(20)
    const work: Effect.Effect<unknown, DatabaseError> =
      turn === 0
        ? maintenance.compact()
        : turn < 3
          ? maintenance.collectValues()
          : turn < 5
            ? maintenance.flush
            : turn === 5
              ? database.removeRange({ prefix: "expiring/" })
              : database.sync
    return Effect.andThen(work, Effect.sleep(300))
  }

  /** Everything, against what is known. Nobody writes meanwhile. */
  check({ database }: Opened): Effect.Effect<void, DatabaseError> {
    return Effect.gen({ self: this as Load }, function* (this: Load) {
      let found = 0
      yield* Stream.runForEach(database.scan({ from: "0/", to: `${writers}/` }), ({ key, value }) =>
        Effect.sync(() => {
          found += 1
          const name = text.decode(key)
          const known = this.known.get(name)
          if (known === undefined || text.decode(value) !== valueOf(name, known))
            throw new Error(`${name} is not as written`)
        })
      )
      if (found !== this.known.size) throw new Error(`${found} keys are there, of ${this.known.size}`)
    })
  }
}
