import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Random, type Scope } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { compressionOf, withKnownCodecs } from "../../src/internal/engine/compression.ts"
import { CodecId } from "../../src/internal/format/codec.ts"
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

const levels = (id: number) => ({ upper: id, bottom: id, values: id })

/** What is compressed on this thread is counted, and threads look for the codecs in the file. */
const movedTo = (file: string, compression: FileCompression) => {
  const counts = { here: 0 }
  const known = compression.known.map((codec) => ({
    ...codec,
    compress: (plain: Uint8Array) => {
      counts.here += 1
      return codec.compress(plain)
    },
    origin: { _tag: "Module", url: pathToFileURL(file).href } as const
  }))
  return { counts, compression: { ...compression, known } }
}

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

  it.effect("run on this thread while theirs cannot load a codec, with one warning, and there once it can", () =>
    Effect.gen(function* () {
      const file = path.join(yield* temporaryDirectory, "codec.mjs")
      const { compression, counts } = movedTo(file, yield* compressionBy("runs of a module"))
      const manifest = yield* manifestWith(compression)
      const threads: Array<JobThread> = []
      const jobs = yield* withThreads(manifest, threads)
      const warnings: Array<string> = []
      const warned = Effect.provide(
        Logger.layer([Logger.make(({ logLevel, message }) => void warnings.push(`${logLevel} ${String(message)}`))])
      )
      for (const times of [1, 2]) {
        const { tables } = yield* warned(jobs.run(flushJob(400, 20)))
        assert.lengthOf(tables, 1)
        assert.isAbove(counts.here, 0)
        assert.lengthOf(fs.readdirSync(manifest.directory), times)
      }
      assert.lengthOf(warnings, 1)
      assert.match(warnings[0]!, /^Warn Strata: .*codec\.mjs/)
      fs.copyFileSync(fileURLToPath(new URL("../support/runsCodec.ts", import.meta.url)), file.replace("mjs", "ts"))
      fs.writeFileSync(file, `export * from "./codec.ts"\n`)
      counts.here = 0
      assert.lengthOf((yield* warned(jobs.run(flushJob(400, 20)))).tables, 1)
      assert.strictEqual(counts.here, 0)
      assert.lengthOf(threads, 1)
      assert.deepInclude(jobs.stats(), { done: 3, failed: 0, replaced: 0 })
    })
  )

  it.effect("load only the codecs that they need", () =>
    Effect.gen(function* () {
      const lost = movedTo("/nowhere/codec.mjs", yield* compressionBy("runs of a module"))
      const manifest = yield* manifestWith({ ...lost.compression, ...levels(CodecId.zstd) })
      const jobs = yield* withThreads(manifest, [])
      let warnings = 0
      const counted = Logger.layer([Logger.make(() => void (warnings += 1))])
      const { tables } = yield* Effect.provide(jobs.run(flushJob(400, 20)), counted)
      assert.strictEqual(warnings, 0)
      // What it reads may have any.
      yield* Effect.provide(jobs.run({ ...simple, level: 6, runs: [tables] }), counted)
      assert.strictEqual(warnings, 1)
    })
  )
})
