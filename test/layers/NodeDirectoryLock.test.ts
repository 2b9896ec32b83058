import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as readline from "node:readline"
import { fileURLToPath } from "node:url"
import { lock, probeLock } from "../../src/layers/NodeDirectoryLock.ts"
import { DirectoryLocked } from "../../src/services/Disk.ts"

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "strata-lock-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const racerFile = fileURLToPath(new URL("lockRacer.ts", import.meta.url))

interface Answer {
  readonly won?: boolean
  readonly pid?: number
  readonly tag?: string
}

/** A child process that takes and gives back locks when told so. */
class Racer {
  readonly child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor() {
    this.child = spawn(process.execPath, [racerFile], { stdio: ["pipe", "pipe", "inherit"] })
    this.#lines = readline.createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]()
  }

  async answer(): Promise<Answer> {
    const next = await this.#lines.next()
    return next.done === true ? {} : JSON.parse(next.value)
  }

  tell(command: string): Promise<Answer> {
    this.child.stdin!.write(`${command}\n`)
    return this.answer()
  }
}

const racer = Effect.acquireRelease(
  Effect.promise(async () => {
    const racer = new Racer()
    await racer.answer()
    return racer
  }),
  (racer) =>
    Effect.callback<void>((resume) => {
      if (racer.child.exitCode !== null || racer.child.signalCode !== null) return resume(Effect.void)
      racer.child.once("exit", () => resume(Effect.void))
      racer.child.kill("SIGKILL")
    })
)

const tell = (racer: Racer, command: string) => Effect.promise(() => racer.tell(command))

const lockedIn = (directory: string) =>
  Effect.map(Effect.flip(Effect.scoped(lock(directory))), (error) => {
    assert.instanceOf(error, DirectoryLocked)
    return error
  })

describe("NodeDirectoryLock", () => {
  // On the test clock, where a sleep would not end: only rivals that are trying too are waited for.
  it.effect("a second lock in the same process fails without a retry and names the holder", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const before = yield* Clock.currentTimeMillis
      yield* lock(directory)
      const locked = yield* lockedIn(directory)
      assert.strictEqual(locked.pid, process.pid)
      assert.isAtLeast(locked.startedAtMillis!, before)
    })
  )

  it.live("a lock held by another process names it, and after kill -9 the next open succeeds at once", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const child = yield* racer
      assert.deepStrictEqual(yield* tell(child, `lock ${directory}`), { won: true })
      assert.strictEqual((yield* lockedIn(directory)).pid, child.child.pid)
      yield* Effect.callback<void>((resume) => {
        child.child.once("exit", () => resume(Effect.void))
        child.child.kill("SIGKILL")
      })
      assert.strictEqual(fs.readdirSync(directory).length, 1, "the dead holder's socket is still there")
      yield* probeLock(directory)
      yield* lock(directory)
      assert.strictEqual(fs.readdirSync(directory).length, 1, "the winner removed it")
    })
  )

  it.live(
    "1,000 races of two processes never have two winners, and normally have one",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const racers = [yield* racer, yield* racer]
        const together = (command: string) =>
          Effect.promise(() => Promise.all(racers.map((racer) => racer.tell(command))))
        const winners = [0, 0, 0]
        for (let round = 0; round < 1000; round++) {
          const answers = yield* together(`lock ${directory}`)
          winners[answers.filter((answer) => answer.won === true).length]! += 1
          for (const answer of answers) if (answer.won !== true) assert.strictEqual(answer.tag, "DirectoryLocked")
          yield* together("unlock")
        }
        assert.strictEqual(winners[2], 0, `rounds by winners: ${winners.join(" ")}`)
        assert.isAtLeast(winners[1]!, 990, `rounds by winners: ${winners.join(" ")}`)
        assert.deepStrictEqual(fs.readdirSync(directory), [])
      }),
    60_000
  )

  it.live("a path longer than a socket's address can hold is locked through /proc", () =>
    Effect.gen(function* () {
      if (process.platform !== "linux") return
      const directory = path.join(yield* temporaryDirectory, "d".repeat(120), "e".repeat(120))
      fs.mkdirSync(directory, { recursive: true })
      const descriptors = () => fs.readdirSync("/proc/self/fd").length
      const before = descriptors()
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* lock(directory)
          assert.match(fs.readdirSync(directory)[0]!, /^lock-\d+\.sock$/)
          assert.strictEqual((yield* lockedIn(directory)).pid, process.pid)
          assert.instanceOf(yield* Effect.flip(probeLock(directory)), DirectoryLocked)
        })
      )
      assert.deepStrictEqual(fs.readdirSync(directory), [])
      yield* Effect.scoped(lock(directory))
      assert.isAtMost(descriptors(), before, "no descriptor is left open")
    })
  )

  it.live("a probe takes nothing and changes nothing, beside a holder, a dead holder and nobody", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* probeLock(directory)
      assert.deepStrictEqual(fs.readdirSync(directory), [])
      const child = yield* racer
      yield* tell(child, `lock ${directory}`)
      const held = fs.readdirSync(directory)
      const error = yield* Effect.flip(probeLock(directory))
      assert.instanceOf(error, DirectoryLocked)
      assert.strictEqual(error.pid, child.child.pid)
      yield* Effect.callback<void>((resume) => {
        child.child.once("exit", () => resume(Effect.void))
        child.child.kill("SIGKILL")
      })
      yield* probeLock(directory)
      assert.deepStrictEqual(fs.readdirSync(directory), held)
    })
  )

  it.live("files that only look like locks are left alone", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const names = ["lock-7.sock", "lock-x.sock", "lock-1.sock.old"]
      for (const name of names) fs.writeFileSync(path.join(directory, name), "")
      yield* Effect.scoped(lock(directory))
      assert.deepStrictEqual(fs.readdirSync(directory).sort(), names.sort())
    })
  )

  it.live("a stopped holder still holds", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const child = yield* racer
      yield* tell(child, `lock ${directory}`)
      child.child.kill("SIGSTOP")
      const locked = yield* lockedIn(directory)
      assert.strictEqual(locked.pid, undefined)
      child.child.kill("SIGCONT")
    })
  )

  it.live("a held lock does not keep its process alive", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const child = yield* racer
      yield* tell(child, `lock ${directory}`)
      const code = yield* Effect.callback<number | null>((resume) => {
        child.child.once("exit", (code) => resume(Effect.succeed(code)))
        child.child.stdin!.end()
      })
      assert.strictEqual(code, 0)
      const scope = yield* Scope.make()
      yield* Scope.provide(lock(directory), scope)
      yield* Scope.close(scope, Exit.void)
    })
  )
})
