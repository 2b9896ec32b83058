import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Random, type Scope } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { compressionOf, withKnownCodecs } from "../../src/internal/engine/compression.ts"
import * as InlineJobs from "../../src/layers/InlineJobs.ts"
import type { JobThread } from "../../src/layers/NodeJobThread.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as NodeWorkerJobs from "../../src/layers/NodeWorkerJobs.ts"
import { Compression, type FileCompression } from "../../src/services/Compression.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { Disk } from "../../src/services/Disk.ts"
import { Jobs, type JobsService } from "../../src/services/Jobs.ts"
import { Manifest, type ManifestService } from "../../src/services/Manifest.ts"
import * as Options from "../../src/services/Options.ts"
import { compressions } from "../support/codecs.ts"
import { flushJob, manifestIds, simple } from "../support/jobsKit.ts"
import * as memoryManifest from "../support/memoryManifest.ts"
import { reasonOf } from "../support/tables.ts"

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "strata-codecs-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const compressionBy = (name: keyof typeof compressions): Effect.Effect<FileCompression, DatabaseError> =>
  Effect.flatMap(
    Effect.provide(
      Effect.map(Compression, (shape) => shape),
      compressions[name]
    ),
    compressionOf
  )

/** What jobs are given, in a directory of its own; the ids of files are the same each time. */
const manifestWith = Effect.fnUntraced(function* (compression: FileCompression) {
  const encryption = withKnownCodecs(NoEncryption.fileEncryption, compression.known)
  const directory = yield* temporaryDirectory
  return Manifest.of({ ...memoryManifest.make(directory, manifestIds, encryption), compression })
})

const servicesOf = (manifest: ManifestService, options: Options.OptionsInput = {}) =>
  Context.make(Disk, NodeDisk.make()).pipe(
    Context.add(Manifest, manifest),
    Context.add(Options.Options, { ...Options.defaults, ...options } as Options.OptionsShape)
  )

/** Flushes, merges what came of it to the bottom level, and collects; the contents of all files by name. */
const run = Effect.fnUntraced(function* (jobs: JobsService, manifest: ManifestService) {
  const values = { threshold: 100, fileBytesMax: 1024 * 1024 }
  const flushed = yield* jobs.run({ ...flushJob(400, 3000), values })
  const inline = yield* jobs.run(flushJob(3000, 90))
  const merged = yield* jobs.run({ ...simple, level: 6, runs: [flushed.tables, inline.tables] })
  yield* jobs.collect({ _tag: "Collect", files: flushed.valueFiles, tables: merged.tables, fileBytesMax: 2 ** 22 })
  const names = fs.readdirSync(manifest.directory).sort()
  return names.map((name) => ({ name, bytes: fs.readFileSync(path.join(manifest.directory, name)) }))
})

const withThreads = (
  manifest: ManifestService,
  threads: Array<JobThread>
): Effect.Effect<JobsService, never, Scope.Scope> =>
  NodeWorkerJobs.make(1, { onThread: (thread) => threads.push(thread) }).pipe(
    Effect.provide(servicesOf(manifest)),
    Random.withSeed("files")
  )

const built = (layer: typeof InlineJobs.layer) =>
  Effect.map(Layer.build(layer), (context) => Context.get(context, Jobs))

const inline = (manifest: ManifestService): Effect.Effect<JobsService, never, Scope.Scope> =>
  Effect.provide(built(InlineJobs.layer), servicesOf(manifest)).pipe(Random.withSeed("files"))

describe("jobs with codecs", () => {
  for (const name of ["none", "zstd", "lz4", "snappy", "runs of a module"] as const) {
    it.effect(`write the same bytes in a thread and inline: ${name}`, () =>
      Effect.gen(function* () {
        const compression = yield* compressionBy(name)
        const there = yield* manifestWith(compression)
        const threads: Array<JobThread> = []
        const inThread = yield* run(yield* withThreads(there, threads), there)
        assert.strictEqual(threads.length, 1)
        const here = yield* manifestWith(compression)
        const inlined = yield* run(yield* inline(here), here)
        assert.deepStrictEqual(
          inThread.map(({ bytes, name }) => [name, bytes.length]),
          inlined.map(({ bytes, name }) => [name, bytes.length])
        )
        for (const [index, { bytes }] of inThread.entries()) assert.isTrue(bytes.equals(inlined[index]!.bytes))
        const plain = yield* manifestWith(yield* compressionBy("none"))
        const uncompressed = yield* run(yield* inline(plain), plain)
        const bytesOf = (files: typeof inThread) => files.reduce((sum, { bytes }) => sum + bytes.length, 0)
        if (name !== "none") assert.isBelow(bytesOf(inlined), bytesOf(uncompressed) * 0.8)
      })
    )
  }

  it.effect("run on this thread where a codec is a function", () =>
    Effect.gen(function* () {
      const manifest = yield* manifestWith(yield* compressionBy("runs"))
      const jobs = yield* Effect.provide(built(NodeWorkerJobs.layer), servicesOf(manifest, { workers: 2 }))
      assert.strictEqual(jobs.concurrency, 1)
      assert.isAbove((yield* run(jobs, manifest)).length, 2)
    })
  )

  it.effect("fail Unsupported where a thread cannot load a codec, by its message, and leave nothing", () =>
    Effect.gen(function* () {
      const compression = yield* compressionBy("runs of a module")
      const lost = { _tag: "Module", url: new URL("../support/nowhere.ts", import.meta.url).href } as const
      const known = compression.known.map((codec) => ({ ...codec, origin: lost }))
      const manifest = yield* manifestWith({ ...compression, known })
      const jobs = yield* withThreads(manifest, [])
      const reason = yield* reasonOf(jobs.run(flushJob(10)))
      assert.strictEqual(reason._tag, "Unsupported")
      assert.match(reason.message, /nowhere/)
      assert.deepStrictEqual(fs.readdirSync(manifest.directory), [])
    })
  )
})
