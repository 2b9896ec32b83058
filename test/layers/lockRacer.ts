// A child process of NodeDirectoryLock.test.ts. Each line on stdin is a command, each answered by one line of JSON:
//   lock <directory>   takes the lock and keeps it        -> {"won":true} or {"won":false,"pid":…}
//   unlock             gives it back                      -> {"unlocked":true}
import { Cause, Effect, Exit, Scope } from "effect"
import * as readline from "node:readline"
import { lock } from "../../src/layers/NodeDirectoryLock.ts"

let held: Scope.Closeable | undefined

const answer = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)

const take = async (directory: string) => {
  const scope = Effect.runSync(Scope.make())
  const exit = await Effect.runPromiseExit(Scope.provide(lock(directory), scope))
  if (Exit.isSuccess(exit)) {
    held = scope
    return answer({ won: true })
  }
  await Effect.runPromise(Scope.close(scope, exit))
  const error = Cause.squash(exit.cause) as { readonly _tag: string; readonly pid?: number; readonly code?: string }
  return answer({ won: false, tag: error._tag, pid: error.pid, code: error.code })
}

const giveBack = async () => {
  if (held !== undefined) await Effect.runPromise(Scope.close(held, Exit.void))
  held = undefined
  answer({ unlocked: true })
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [command, directory] = line.split(" ")
  void (command === "lock" ? take(directory!) : giveBack())
})
answer({ ready: true })
