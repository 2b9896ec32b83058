/**
 * The writer lock of a directory: a socket somebody listens on, because the kernel closes it with its process.
 *
 * The holder listens on `lock-<n>.sock` in the directory. To take the lock: listen on a name of one's own, then look at
 * every other name, then at one's own again.
 *
 * - A name that answers belongs to a living process: withdraw. If that process holds the lock, it is locked; if it is
 *   only trying too, wait a random while and try again.
 * - A name that refuses belonged to a dead process, or to one that is between `bind` and `listen`. Only the winner
 *   removes such names, and only while it holds the lock.
 * - One's own name gone: a winner saw it refuse before it listened. Try again.
 *
 * Never two winners: of two processes, the one that listened later reads the directory after both listen, so it sees
 * the other's name and gets an answer, unless that name was removed. A name is removed by its owner, or by a winner W
 * that saw it refuse before its owner listened. Then W listened first, and as it removes only while it holds, it was
 * still listening when the owner looked around, or the owner found its own name gone afterwards; either way the owner
 * did not win. Names are drawn from a million numbers above all present, so that no name is used twice while somebody
 * still means to remove it.
 *
 * Windows has no such files; an exclusive named pipe derived from the directory's real path does the same by itself.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs"
import * as path from "node:path"
import { DirectoryLocked, DiskError } from "../services/Disk.ts"
import { call } from "./NodeCall.ts"
import { type Answer, ask, Listener, pipeName } from "./NodeSocket.ts"

/** Tries against rivals that only try as well. A try takes about 2 ms, so jitters of 5 to 40 ms part them. */
const attemptsMax = 5
const jitterMillis = 5

const isWindows = process.platform === "win32"

/** `sockaddr_un` holds 104 to 108 bytes; beyond this the socket is reached through the directory's descriptor. */
const pathBytesMax = 100

const numberSpread = 2 ** 20

/** A directory as sockets see it: by its path, or by a descriptor while that is open. */
interface Place {
  readonly directory: string
  /** The socket's address for a name. */
  readonly address: (name: string) => string
  readonly close: Effect.Effect<void>
}

const openPlace = (directory: string): Effect.Effect<Place, DiskError> => {
  if (isWindows) {
    return Effect.map(
      call<string>({ operation: "lock", file: directory }, (done) => fs.realpath(directory, done)),
      (real) => ({ directory, address: () => pipeName(real), close: Effect.void })
    )
  }
  const absolute = path.resolve(directory)
  if (Buffer.byteLength(absolute) + "/lock-9007199254740991.sock".length <= pathBytesMax) {
    return Effect.succeed({ directory, address: (name) => path.join(absolute, name), close: Effect.void })
  }
  if (process.platform !== "linux") {
    return Effect.fail(new DiskError({ operation: "lock", file: directory, code: "ENAMETOOLONG" }))
  }
  const site = { operation: "lock", file: directory }
  const flags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY
  return Effect.map(
    call<number>(site, (done) => fs.open(absolute, flags, done)),
    (fd) => ({
      directory,
      address: (name) => `/proc/self/fd/${fd}/${name}`,
      close: Effect.ignore(call(site, (done) => fs.close(fd, done)))
    })
  )
}

interface LockName {
  readonly name: string
  readonly number: number
}

/** The sockets in the directory that are named like locks; other kinds of files are nobody's lock. */
const lockNames = (directory: string): Effect.Effect<Array<LockName>, DiskError> => {
  if (isWindows) return Effect.succeed([{ name: "", number: 0 }])
  return Effect.map(
    call<Array<fs.Dirent>>({ operation: "lock", file: directory }, (done) =>
      fs.readdir(directory, { withFileTypes: true }, done)
    ),
    (entries) => {
      const names: Array<LockName> = []
      for (const entry of entries) {
        const match = /^lock-(\d{1,15})\.sock$/.exec(entry.name)
        if (match !== null && entry.isSocket()) names.push({ name: entry.name, number: Number(match[1]) })
      }
      return names
    }
  )
}

const lockedBy = (directory: string, answer: Answer): DirectoryLocked =>
  new DirectoryLocked({ directory, pid: answer.pid, startedAtMillis: answer.startedAtMillis })

/** Asks all names at once; an answer of a holder comes before one of a rival. */
const askAll = Effect.fnUntraced(function* (place: Place, names: ReadonlyArray<LockName>) {
  const answers = yield* Effect.forEach(
    names,
    ({ name }) => ask({ operation: "lock", file: place.directory }, place.address(name)),
    { concurrency: 8 }
  )
  return {
    refused: names.filter((_, index) => answers[index]!.state === "refused"),
    living: answers.find((answer) => answer.state === "holding") ?? answers.find((answer) => answer.state === "trying")
  }
})

type Outcome =
  | { readonly _tag: "Won"; readonly listener: Listener }
  | { readonly _tag: "Held"; readonly answer: Answer }
  | { readonly _tag: "Rival"; readonly answer: Answer | undefined }

const rival: Outcome = { _tag: "Rival", answer: undefined }

/** One try, by the rules at the top of this file. A listener that did not win is closed. */
const attempt = Effect.fnUntraced(function* (place: Place, startedAtMillis: number) {
  const site = { operation: "lock", file: place.directory }
  const before = yield* lockNames(place.directory)
  const above = before.reduce((max, { number }) => Math.max(max, number), 0)
  const own = `lock-${above + 1 + (yield* Random.nextIntBetween(0, numberSpread))}.sock`
  const listener = new Listener(site, place.address(own), startedAtMillis)
  const isListening = yield* listener.listen
  if (!isListening) return isWindows ? yield* heldPipe(place) : rival
  return yield* settle(place, own, listener).pipe(
    Effect.tap((outcome) => (outcome._tag === "Won" ? Effect.void : listener.close)),
    Effect.tapError(() => listener.close)
  )
})

const heldPipe = (place: Place): Effect.Effect<Outcome, DiskError> =>
  Effect.map(ask({ operation: "lock", file: place.directory }, place.address("")), (answer) =>
    answer.state === "refused" || answer.state === "absent" ? rival : { _tag: "Held", answer }
  )

const settle = Effect.fnUntraced(function* (place: Place, own: string, listener: Listener) {
  const won: Outcome = { _tag: "Won", listener }
  if (isWindows) {
    listener.hold()
    return won
  }
  const others = (yield* lockNames(place.directory)).filter(({ name }) => name !== own)
  const { living, refused } = yield* askAll(place, others)
  if (living !== undefined) {
    return { _tag: living.state === "holding" ? "Held" : "Rival", answer: living } satisfies Outcome
  }
  if (!(yield* lockNames(place.directory)).some(({ name }) => name === own)) return rival
  listener.hold()
  // A dead name that cannot be removed does no harm: it is asked again next time.
  yield* Effect.forEach(refused, ({ name }) =>
    Effect.ignore(
      call({ operation: "lock", file: place.directory }, (done) => fs.unlink(path.join(place.directory, name), done))
    )
  )
  return won
})

const acquire = Effect.fnUntraced(function* (directory: string) {
  const startedAtMillis = yield* Clock.currentTimeMillis
  const place = yield* openPlace(directory)
  return yield* Effect.gen(function* () {
    for (let tries = 1; ; tries++) {
      const outcome: Outcome = yield* attempt(place, startedAtMillis)
      if (outcome._tag === "Won") return { place, listener: outcome.listener }
      const answer = outcome.answer ?? { state: "trying" }
      if (outcome._tag === "Held" || tries === attemptsMax) return yield* lockedBy(directory, answer)
      yield* Effect.sleep(yield* Random.nextBetween(0, jitterMillis * 2 ** (tries - 1)))
    }
  }).pipe(Effect.tapError(() => place.close))
})

/**
 * Holds the directory's writer lock until the scope closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const lock = (directory: string): Effect.Effect<void, DirectoryLocked | DiskError, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(acquire(directory), ({ listener, place }) => Effect.andThen(listener.close, place.close))
  )

/**
 * Fails if a living process has or is just taking the directory's writer lock.
 *
 * @since 0.1.0
 * @category constructors
 */
export const probeLock = (directory: string): Effect.Effect<void, DirectoryLocked | DiskError> =>
  Effect.acquireUseRelease(
    openPlace(directory),
    (place) =>
      Effect.flatMap(lockNames(directory), (names) =>
        Effect.flatMap(askAll(place, names), ({ living }) =>
          living === undefined ? Effect.void : Effect.fail(lockedBy(directory, living))
        )
      ),
    (place) => place.close
  )
