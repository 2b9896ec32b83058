/**
 * The log as a chain of segment files, `log-<n>.wal`.
 *
 * The bytes are specified in `internal/format/logFrame.ts`; what is torn and what is damaged, in `logScan.ts` and
 * `internal/engine/logReplay.ts`; the order of steps, in `internal/engine/logWriter.ts` and `segmentFile.ts`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { assert } from "../internal/format/formatError.ts"
import { replayLog, type Replayed } from "../internal/engine/logReplay.ts"
import { LogWriter } from "../internal/engine/logWriter.ts"
import { Disk } from "../services/Disk.ts"
import { Manifest } from "../services/Manifest.ts"
import { Options } from "../services/Options.ts"
import { Wal } from "../services/Wal.ts"

/**
 * The log of the database whose manifest this is. The next segment is prepared in the background, in the layer's scope.
 *
 * **Details**
 *
 * Building it touches nothing; `replay` reads, `start` is the first to write.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Wal, never, Disk | Manifest> = Layer.effect(
  Wal,
  Effect.gen(function* () {
    const manifest = yield* Manifest
    const { directory, encryption } = manifest
    const { readOnly } = yield* Options
    const parts = { disk: yield* Disk, encryption, manifest, directory, readOnly }
    const scope = yield* Effect.scope
    let replayed: Replayed | undefined
    let writer: LogWriter | undefined
    const started = (): LogWriter => {
      assert(writer !== undefined, "the log is started before it is written")
      return writer
    }
    yield* Effect.addFinalizer(() => writer?.close ?? Effect.void)
    return Wal.of({
      replay: (sink) =>
        Effect.map(replayLog(parts, sink), (result) => {
          replayed = result
          return result.report
        }),
      start: (chunks) =>
        Effect.suspend(() => {
          assert(replayed !== undefined && writer === undefined, "the log is replayed, and then started once")
          writer = new LogWriter(parts, { position: replayed.position, scope })
          return writer.start(chunks)
        }),
      append: (chunks) => started().append(chunks),
      appendUnsafe: (bytes, start, end) => started().appendUnsafe(bytes, start, end),
      sync: Effect.suspend(() => started().sync),
      switchSegment: Effect.suspend(() => started().switchSegment),
      mark: Effect.suspend(() => started().mark),
      seal: Effect.suspend(() => started().seal),
      segment: () => started().segment().number,
      lastLsn: () => writer?.position.lsn ?? replayed?.position.lsn ?? 0,
      syncedLsn: () => writer?.synced ?? 0,
      bytesWritten: () => writer?.counters.bytesWritten ?? 0,
      removeBelow: (segment) => started().removeBelow(segment),
      stats: () => writer?.stats() ?? { segments: 0, bytes: 0, bytesWritten: 0, syncs: 0 }
    })
  })
)
