// Reading the log back: which segments count, in which order, and where it ends.
//
//   number < logNumberMin             not needed any more
//   epoch > the manifest's            left by an open that did not finish: `begin` makes an epoch the manifest's before
//                                     anything of it is acknowledged, so it holds copies of the older segments at most
//   at most a header's bytes long,    being prepared when the power went: nothing was ever appended to it, for that
//     and no whole header of ours     needs a synced header and a synced name (segmentFile.ts)
//   longer, without a whole header    damage
//   no LINK                           prepared and not begun, or begun and its LINK not synced: what it holds, the log
//                                     does not reach. Frames in it may still promise what is missing before it
//   a LINK                            goes on where the segment it names ended. `decideTail` compares
//
// The segment `logNumberMin` is the first. The manifest names it only after its LINK was synced, so it must be there
// with its LINK. That LINK may name a segment that is gone: what came before is in tables. In a checkpoint it is 0,
// until the first open for writing has begun: there is no log, but for what such an open left that did not finish.
//
// Segments without a LINK between two others are passed over: a LINK that the disk refused (logWriter.ts). The LINK of
// the later one proves that nothing is missing.
//
// Groups go to the sink when the end of their segment is decided, so a damaged log hands out nothing behind the damage
// and, of the segment that shows it, nothing at all. Two segments are in memory at a time.
import * as Effect from "effect/Effect"
import type { TailDropped } from "../../services/Database.ts"
import { Corruption, type DatabaseError, fail, Stale } from "../../services/DatabaseError.ts"
import type { ManifestState } from "../../services/Manifest.ts"
import type { ReplayReport } from "../../services/Wal.ts"
import { decodeFileHeader, type FileHeader, fileHeaderBytes, FileKind } from "../format/fileHeader.ts"
import { logFileName } from "../format/fileName.ts"
import { FormatError } from "../format/formatError.ts"
import type { LogPosition } from "../format/logFrame.ts"
import { decideTail, payloadOf, scanSegment, type SegmentScan } from "../format/logScan.ts"
import { damaged, decoding, ofDisk, ofFormat } from "./diskErrors.ts"
import { directoryState, type OwnFile } from "./directoryState.ts"
import { isOfEpoch, readWhole, sameBytes, sealerOfHeader } from "./ownFiles.ts"
import type { LogParts } from "./segmentFile.ts"

export type GroupSink = (payload: Uint8Array) => Effect.Effect<void, DatabaseError>

export interface Replayed {
  readonly report: ReplayReport
  /** The last whole frame: where the next epoch goes on. */
  readonly position: LogPosition
}

interface Segment {
  readonly file: OwnFile
  readonly scan: SegmentScan
}

export const noLog: Replayed = {
  report: { segments: 0, groups: 0, bytes: 0, tailDropped: undefined, lastLsn: 0 },
  position: { lsn: 0, chain: 0 }
}

export const replayLog = Effect.fnUntraced(function* (parts: LogParts, sink: GroupSink) {
  const { directory, disk, manifest } = parts
  if (!manifest.exists) return noLog
  const state = manifest.state()
  const { logs, markers } = directoryState(yield* Effect.mapError(disk.list(directory), ofDisk))
  const files = logs.filter(({ number }) => number >= state.logNumberMin).sort((a, b) => a.number - b.number)
  if (state.logNumberMin === 0) return yield* new Replay(parts, state, sink).none(files)
  if (files[0]?.number !== state.logNumberMin) {
    // Without the lock, a writer may have come and gone since the manifest was read: it left a marker of a new number.
    const next = manifest.allocateFileNumber()
    const replaced = parts.readOnly && markers.some(({ number }) => number >= next)
    return yield* missingFirst(parts, state, replaced)
  }
  return yield* new Replay(parts, state, sink).run(files)
})

class Replay {
  private readonly parts: LogParts
  private readonly state: ManifestState
  private readonly sink: GroupSink
  private segments = 0
  private groups = 0
  private bytes = 0
  private tailDropped: TailDropped | undefined = undefined

  constructor(parts: LogParts, state: ManifestState, sink: GroupSink) {
    this.parts = parts
    this.state = state
    this.sink = sink
  }

  readonly run = Effect.fnUntraced({ self: this as Replay }, function* (this: Replay, files: ReadonlyArray<OwnFile>) {
    const rest = [...files]
    const first = rest.shift()!
    const scan = yield* this.load(first)
    if (scan?.link === undefined) {
      return yield* this.damage(first, {
        offset: fileHeaderBytes,
        reason: "the first segment of the log does not begin with a whole LINK",
        tampered: scan?.tail.tampered ?? false
      })
    }
    let segment: Segment | undefined = { file: first, scan }
    let { end } = scan
    while (segment !== undefined) {
      ;({ end } = segment.scan)
      segment = yield* this.finish(segment, rest)
    }
    const { bytes, groups, segments, tailDropped } = this
    const report = { segments, groups, bytes, tailDropped, lastLsn: end.lsn }
    return { report, position: { lsn: end.lsn, chain: end.chain } } satisfies Replayed
  })

  /** Of a state without a log, as a checkpoint is. */
  readonly none = Effect.fnUntraced({ self: this as Replay }, function* (this: Replay, files: ReadonlyArray<OwnFile>) {
    for (const file of files) {
      const scan = yield* this.load(file)
      if (scan !== undefined) {
        const reason = "the manifest says that there is no log"
        return yield* this.damage(file, { offset: 0, reason, tampered: false })
      }
    }
    return noLog
  })

  /** Decides at the segment's end, hands out its groups, and returns the segment that goes on, if one does. */
  private readonly finish = Effect.fnUntraced(
    { self: this as Replay },
    function* (this: Replay, { file, scan }: Segment, rest: Array<OwnFile>) {
      const passed: Array<Segment> = []
      const next = yield* this.nextWithLink(rest, passed)
      const { cleanShutdown, lsnDurable } = this.state
      const decision = decideTail({
        scan,
        nextLink: next?.scan.link,
        promisedLater: passed.reduce((most, { scan }) => Math.max(most, scan.promised), 0),
        manifest: { lsnDurable, cleanShutdownLsn: cleanShutdown?.lastLsn }
      })
      if (decision._tag === "Corruption") {
        const broken = scan.tail.bytes > 0 || next !== undefined ? undefined : withoutLink(passed, scan.end)
        return yield* broken === undefined ? this.damage(file, decision) : this.damage(broken.file, broken)
      }
      this.segments += 1
      for (const group of scan.groups) {
        const payload = payloadOf(group)
        this.groups += 1
        this.bytes += payload.length
        yield* this.sink(payload)
      }
      if (decision._tag === "Torn") this.dropped(file, decision)
      if (next === undefined) {
        for (const { file, scan } of passed) if (scan.tail.bytes > 0) this.dropped(file, scan.tail)
      }
      return next
    }
  )

  /** Takes files off the list up to the first with a LINK; those without one are `passed`. */
  private readonly nextWithLink = Effect.fnUntraced(
    { self: this as Replay },
    function* (this: Replay, rest: Array<OwnFile>, passed: Array<Segment>) {
      while (rest.length > 0) {
        const file = rest.shift()!
        const scan = yield* this.load(file)
        if (scan === undefined) continue
        if (scan.link !== undefined) return { file, scan } satisfies Segment
        passed.push({ file, scan })
      }
      return undefined
    }
  )

  /** `undefined` for a file that holds nothing of this epoch. */
  private readonly load = Effect.fnUntraced({ self: this as Replay }, function* (this: Replay, file: OwnFile) {
    const { parts } = this
    const path = parts.disk.join(parts.directory, file.name)
    const bytes = yield* readWhole(parts, file.name)
    const header = yield* this.header(file, bytes)
    if (header === undefined) return undefined
    const sealer = yield* sealerOfHeader(parts, header, path)
    return yield* decoding(path, () =>
      scanSegment({ bytes, fileNumber: file.number, expected: undefined, sealerFor: () => sealer })
    )
  })

  private header(file: OwnFile, bytes: Uint8Array): Effect.Effect<FileHeader | undefined, DatabaseError> {
    const path = this.parts.disk.join(this.parts.directory, file.name)
    return Effect.suspend((): Effect.Effect<FileHeader | undefined, DatabaseError> => {
      try {
        const header = decodeFileHeader(bytes, FileKind.log)
        this.checkHeader(header, file)
        return Effect.succeed(header.epoch > this.state.epoch ? undefined : header)
      } catch (error) {
        if (!(error instanceof FormatError)) throw error
        const isUnborn = bytes.length <= fileHeaderBytes && !error.unsupported
        return isUnborn ? Effect.succeed(undefined) : Effect.fail(ofFormat(error, path))
      }
    })
  }

  private checkHeader(header: FileHeader, file: OwnFile): void {
    const { databaseId, epoch, epochId, incarnation } = this.state
    if (header.fileNumber !== file.number) throw new FormatError(`the file says it is number ${header.fileNumber}`, 0)
    if (!sameBytes(header.databaseId, databaseId) || !sameBytes(header.incarnation, incarnation)) {
      throw new FormatError("the segment belongs to another database", 0)
    }
    if (header.epoch === epoch && epochId !== undefined && !isOfEpoch(header, epochId)) {
      const message = "the segment is of the same epoch in a copy that went its own way"
      throw new FormatError(message, 60, { tampered: header.tagBytes !== 4 })
    }
    if (header.epoch < epoch) throw new FormatError(`a segment of epoch ${header.epoch} in epoch ${epoch}`, 0)
  }

  private dropped(file: OwnFile, tail: { readonly offset: number; readonly bytes: number; readonly reason: string }) {
    const { bytes, offset, reason } = tail
    const before = this.tailDropped
    this.tailDropped =
      before === undefined
        ? { file: this.parts.disk.join(this.parts.directory, file.name), offset, bytes, reason }
        : { ...before, bytes: before.bytes + bytes }
  }

  private damage(
    { name }: OwnFile,
    found: { readonly offset: number; readonly reason: string; readonly tampered: boolean }
  ): Effect.Effect<never, DatabaseError> {
    const file = this.parts.disk.join(this.parts.directory, name)
    const { offset, reason } = found
    const message = `${file}:${offset}: ${reason}. Nothing was changed`
    return Effect.fail(fail(damaged({ message, file, offset }, found)))
  }
}

/** The segment that promises what only its own LINK, which is not whole, can be missing from. */
const withoutLink = (passed: ReadonlyArray<Segment>, end: LogPosition) => {
  const segment = passed.find(({ scan }) => scan.promised > end.lsn)
  if (segment === undefined) return undefined
  const { promised, tail } = segment.scan
  const reason = `its LINK is not whole (${tail.reason}), and a later frame says that up to ${promised} all was durable`
  return { file: segment.file, offset: tail.offset, reason, tampered: tail.tampered }
}

const missingFirst = (
  parts: LogParts,
  state: ManifestState,
  replaced: boolean
): Effect.Effect<never, DatabaseError> => {
  const file = parts.disk.join(parts.directory, logFileName(state.logNumberMin))
  if (replaced) {
    const message = `a later writer removed ${file}; open the database again`
    return Effect.fail(fail(new Stale({ message, file })))
  }
  const message = `${file}, with which the log begins, is missing. Nothing was changed`
  return Effect.fail(fail(new Corruption({ message, file, offset: 0 })))
}
