// A program whose worker threads are ended while they are at work: `node endedThreads.js <worker> <endings> <how>`.
// With `closing` each is ended as its pool does it, at a random moment, and the next begins; with `exiting` the process
// exits under the last.
import { Effect } from "effect"
import { JobThread } from "../../src/layers/NodeJobThread.ts"

const [worker, endings, how] = [process.argv[2]!, Number(process.argv[3]), process.argv[4]]
/** Much longer than a block takes. */
const spinMillisMax = 2

const working = (): Promise<JobThread> =>
  new Promise((resolve) => {
    const thread = new JobThread(new URL(worker, import.meta.url), () => {})
    thread.worker.once("message", () => resolve(thread))
  })

const spin = (): void => {
  const until = performance.now() + Math.random() * spinMillisMax
  while (performance.now() < until);
}

for (let ending = 1; ending <= endings; ending++) {
  const thread = await working()
  const exited = new Promise((resolve) => void thread.worker.once("exit", resolve))
  spin()
  if (how === "exiting" && ending === endings) process.exit(0)
  await Effect.runPromise(thread.terminate("its time has come"))
  await exited
}
