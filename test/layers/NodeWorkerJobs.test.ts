import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { tableFileName } from "../../src/internal/format/fileName.ts"
import type { JobThread } from "../../src/layers/NodeJobThread.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as NodeWorkerJobs from "../../src/layers/NodeWorkerJobs.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import { Disk } from "../../src/services/Disk.ts"
import type { FileEncryption } from "../../src/services/Encryption.ts"
import { Jobs } from "../../src/services/Jobs.ts"
import { Manifest } from "../../src/services/Manifest.ts"
import * as Options from "../../src/services/Options.ts"
import { jobsSuite } from "../suites/jobsSuite.ts"
import { invertingFiles } from "../support/encryptions.ts"
import { type JobsUnderTest, manifestIds } from "../support/jobsKit.ts"
import { output } from "../support/installedPackage.ts"
import { killThread } from "../support/killThread.ts"
import * as memoryManifest from "../support/memoryManifest.ts"
import { jobOf, numbered, reasonOf } from "../support/tables.ts"

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "strata-jobs-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const services = (directory: string, options?: Options.OptionsInput, encryption?: FileEncryption) =>
  Context.make(Disk, NodeDisk.make()).pipe(
    Context.add(Manifest, memoryManifest.make(directory, manifestIds, encryption)),
    Context.add(Options.Options, { ...Options.defaults, ...options } as Options.OptionsShape)
  )

const under = (workers: number) =>
  Effect.map(temporaryDirectory, (directory): JobsUnderTest => {
    const shared = services(directory)
    const threads: Array<JobThread> = []
    return {
      disk: Context.get(shared, Disk),
      manifest: Context.get(shared, Manifest),
      jobs: (options) =>
        NodeWorkerJobs.make(workers, { onThread: (thread) => threads.push(thread) }).pipe(
          Effect.provideService(Options.Options, { ...Options.defaults, ...options } as Options.OptionsShape),
          Effect.provide(shared)
        ),
      threads: () => threads.filter(({ worker }) => worker.threadId > 0).length,
      kill: () => killThread(threads.at(-1)!)
    }
  })

for (const workers of [1, 2]) jobsSuite(`NodeWorkerJobs, ${workers} at a time`, under(workers))

/** With a directory of its own; `threads` were started. */
const jobsIn = Effect.fnUntraced(function* (options: NodeWorkerJobs.ThreadOptions) {
  const directory = yield* temporaryDirectory
  const threads: Array<JobThread> = []
  const jobs = yield* NodeWorkerJobs.make(1, { ...options, onThread: (thread) => threads.push(thread) }).pipe(
    Effect.provide(services(directory))
  )
  return { directory, jobs, threads }
})

const untilBusy = (threads: ReadonlyArray<JobThread>): Effect.Effect<void> =>
  Effect.suspend(() =>
    threads.at(-1)?.isBusy === true ? Effect.void : Effect.andThen(Effect.yieldNow, untilBusy(threads))
  )

describe("NodeWorkerJobs", () => {
  it.effect("4. a worker that does not answer fails its job with JobFailed, and is replaced", () =>
    Effect.gen(function* () {
      const entry = new URL("../support/silentWorker.ts", import.meta.url)
      const { directory, jobs, threads } = yield* jobsIn({ entry })
      for (let silence = 1; silence <= 2; silence++) {
        const running = yield* Effect.forkChild(jobs.run(jobOf(numbered(10), 0)))
        yield* untilBusy(threads)
        yield* TestClock.adjust("29 seconds")
        assert.isUndefined(running.pollUnsafe())
        yield* TestClock.adjust("31 seconds")
        assert.deepInclude(yield* reasonOf(Fiber.join(running)), { _tag: "JobFailed" })
        assert.deepInclude(jobs.stats(), { running: 0, replaced: silence })
      }
      assert.deepStrictEqual(fs.readdirSync(directory), [])
      assert.lengthOf(threads, 2)
    })
  )

  it.live("a thread is started for the first job, and keeps the process alive only while it has one", () =>
    Effect.gen(function* () {
      const { jobs, threads } = yield* jobsIn({})
      assert.lengthOf(threads, 0)
      yield* jobs.run(jobOf(numbered(100), 0))
      yield* jobs.run(jobOf(numbered(100), 0))
      assert.lengthOf(threads, 1)
      // What Node counts as a reason to stay.
      assert.notInclude(process.getActiveResourcesInfo(), "Worker")
    })
  )

  it("runs from its sources", async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "strata-jobs-"))
    const source = fileURLToPath(new URL("../support/sourceWorker.ts", import.meta.url))
    const said = await output(process.execPath, { args: [source, directory], cwd: directory })
    assert.strictEqual(said, "Ready Done\n")
    fs.rmSync(directory, { recursive: true, force: true })
  })

  it.live("where no thread comes up, jobs run on this one", () =>
    Effect.gen(function* () {
      const { directory, jobs, threads } = yield* jobsIn({ entry: new URL("./nothing.ts", import.meta.url) })
      for (let index = 0; index < 6; index++) assert.lengthOf((yield* jobs.run(jobOf(numbered(100), 0))).tables, 1)
      assert.lengthOf(threads, 3)
      assert.lengthOf(fs.readdirSync(directory), 6)
      assert.deepInclude(jobs.stats(), { done: 6, failed: 0, replaced: 0 })
    })
  )

  it.live("with no workers wanted, or an encryption that keeps its keys, jobs run on this thread", () =>
    Effect.gen(function* () {
      let started = 0
      const count = () => void (started += 1)
      process.on("worker", count)
      const run = (encryption: FileEncryption, workers: number | undefined) =>
        Effect.gen(function* () {
          const shared = services(yield* temporaryDirectory, { workers }, encryption)
          const layer = NodeWorkerJobs.layer.pipe(Layer.provide(Layer.succeedContext(shared)))
          const jobs = Context.get(yield* Layer.build(layer), Jobs)
          return (yield* jobs.run(jobOf(numbered(10), 0))).tables.length
        })
      assert.strictEqual(yield* run(NoEncryption.fileEncryption, 0), 1)
      assert.strictEqual(yield* run(invertingFiles, 2), 1)
      assert.strictEqual(started, 0)
      assert.strictEqual(yield* run(NoEncryption.fileEncryption, undefined), 1)
      assert.strictEqual(started, 1)
      process.off("worker", count)
    })
  )

  it.live("a name that is taken is left alone", () =>
    Effect.gen(function* () {
      const { directory, jobs } = yield* jobsIn({})
      const file = path.join(directory, tableFileName(1))
      fs.writeFileSync(file, "not ours")
      const reason = yield* reasonOf(jobs.run(jobOf(numbered(10), 0)))
      assert.deepInclude(reason, { _tag: "Io", code: "EEXIST", file, operation: "create" })
      assert.strictEqual(fs.readFileSync(file, "utf8"), "not ours")
      assert.lengthOf((yield* jobs.run(jobOf(numbered(10), 0))).tables, 1)
      assert.strictEqual(jobs.stats().replaced, 0)
    })
  )

  it.live("a bug in a job is a defect, and the thread takes the next one", () =>
    Effect.gen(function* () {
      const { directory, jobs, threads } = yield* jobsIn({})
      const sound = jobOf(numbered(3000), 0)
      const [memtable] = sound.memtables
      const reversed = memtable!.versions.slice()
      reversed.copyWithin(0, 6000, 6003)
      const broken = { ...sound, memtables: [{ ...memtable!, versions: reversed }] }
      const exit = yield* Effect.exit(jobs.run(broken))
      assert.match(String(exit), /a bug in a job: .*keys ascend/)
      assert.deepStrictEqual(fs.readdirSync(directory), [])
      assert.lengthOf((yield* jobs.run(sound)).tables, 1)
      assert.lengthOf(threads, 1)
    })
  )
})
