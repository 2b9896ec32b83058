// Reads a log segment as far as it is whole, and tells a torn tail from damage.
//
// A frame counts if its header, its body, its LSN and its chain are right. What stands at the first place where none
// does, and behind it, decides (RELIABILITY.md §3.3), with n the LSN that was due there:
//
//   a later frame of this segment promises n or more             damage: fail closed
//   the next segment's LINK names this segment, n - 1 and the
//     last chain                                                 an abandoned group (disk full): go on there
//   the next segment's LINK says anything else                   damage
//   a later segment or the manifest promises n or more           damage
//   otherwise                                                    torn: n and what follows were never promised
//
// What is left: damage inside the very last group, which nothing promises, looks like a tear. It is reported.
import { concatBytes } from "./bytes.ts"
import { crcOfHeader, decodeFileHeader, type FileHeader, fileHeaderBytes, FileKind, fileTagOf } from "./fileHeader.ts"
import { FormatError, unsupported } from "./formatError.ts"
import {
  decodeLink,
  FrameKind,
  framePayloadMax,
  frameTagOffset,
  FrameView,
  type Link,
  type LogPosition,
  type OpenedFrame,
  openFrame,
  readFrameHeader
} from "./logFrame.ts"
import { type Sealer, type SealerFor, sealerOf } from "./sealer.ts"

/** A group of commits, whole: its payload is bytes[start, end), for `CommitReader.reset`. */
export interface LogGroup {
  /** The segment's bytes where that is possible. */
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly firstLsn: number
  readonly lastLsn: number
  /** Where its first frame begins and its last one ends in the segment. */
  readonly frameStart: number
  readonly frameEnd: number
}

/** The payload as a view. Not kept in the group: a view for each of a segment's groups costs more than reading them. */
export const payloadOf = (group: LogGroup): Uint8Array => group.bytes.subarray(group.start, group.end)

/** What follows the last whole group. */
export interface LogTail {
  /** `reordered`: valid frames stand behind invalid bytes. */
  readonly kind: "clean" | "zeros" | "torn" | "incompleteGroup" | "reordered"
  readonly reason: string
  readonly offset: number
  readonly bytes: number
  /** The highest LSN of a valid frame in the tail; 0 if there is none. */
  readonly lsnMax: number
  /** The highest promise of a valid frame in the tail; 0 if there is none. */
  readonly promised: number
  /** The file has authentication tags, and a frame stands where one is due: not that one, or not as it was written. */
  readonly tampered: boolean
}

export interface SegmentScan {
  readonly header: FileHeader
  /** `undefined` if the first frame is not valid: the segment was created ahead and not begun, or is damaged. */
  readonly link: Link | undefined
  readonly groups: ReadonlyArray<LogGroup>
  readonly sealed: boolean
  /** Behind the last whole group or mark. Without a LINK the LSN is one below the expected one, or 0. */
  readonly end: LogPosition & { readonly offset: number }
  readonly tail: LogTail
  /** The highest promise of any valid frame in the segment, its LINK included. */
  readonly promised: number
}

/** Reads the segment. Throws `FormatError` for a damaged file header, and for valid frames that make no sense. */
export const scanSegment = (options: {
  readonly bytes: Uint8Array
  readonly fileNumber: number
  /** What the LINK must say; `undefined` if any LINK will do, as in the first segment. */
  readonly expected: LogPosition | undefined
  readonly sealerFor: SealerFor
}): SegmentScan => {
  const { bytes, expected } = options
  const header = decodeFileHeader(bytes, FileKind.log)
  if (header.fileNumber !== options.fileNumber) {
    throw new FormatError(`the file says it is number ${header.fileNumber}, its name ${options.fileNumber}`, 0)
  }
  return new SegmentScanner({ bytes, header, expected, sealer: sealerOf(header, options.sealerFor) }).scan()
}

class SegmentScanner {
  readonly bytes: Uint8Array
  readonly fileHeader: Uint8Array
  readonly fileTag: number
  readonly tagBytes: number
  readonly sealer: Sealer
  private readonly header: FileHeader
  private readonly expected: LogPosition | undefined
  private readonly view = new FrameView()
  private readonly groups: Array<LogGroup> = []
  private link: Link | undefined
  private sealed = false
  private tampered = false
  private promised = 0
  // The frame that is due: where, after which LSN and chain.
  private offset = fileHeaderBytes
  private lsn: number
  private chain: number
  // Behind the last whole group or mark.
  private end: LogPosition & { readonly offset: number }
  private parts: Array<Uint8Array> = []
  private groupPromised = 0

  constructor(options: {
    readonly bytes: Uint8Array
    readonly header: FileHeader
    readonly expected: LogPosition | undefined
    readonly sealer: Sealer
  }) {
    this.bytes = options.bytes
    this.header = options.header
    this.expected = options.expected
    this.sealer = options.sealer
    this.fileHeader = options.bytes.subarray(0, fileHeaderBytes)
    this.fileTag = fileTagOf(options.header.fileId)
    this.tagBytes = options.header.tagBytes
    this.lsn = options.expected?.lsn ?? 0
    this.chain = crcOfHeader(this.fileHeader)
    this.end = { offset: this.offset, lsn: this.lsn, chain: this.chain }
  }

  scan(): SegmentScan {
    let reason: string | undefined
    while (reason === undefined && this.offset < this.bytes.length) reason = this.step()
    const tail = this.tail(reason)
    const { end, groups, header, link, sealed } = this
    return { header, link, groups, sealed, end, tail, promised: Math.max(this.promised, tail.promised) }
  }

  // Takes the frame at `offset`; the result is why there is none.
  private step(): string | undefined {
    const { view } = this
    const missing = readFrameHeader(this, this.offset, view)
    if (missing !== undefined) return missing
    this.tampered = this.sealer.tagBytes !== 4
    const any = this.link === undefined && this.expected === undefined
    if (!any && view.lsn !== this.lsn + 1) return `a frame has LSN ${view.lsn} instead of ${this.lsn + 1}`
    if (view.previousChain !== this.chain) return "a frame does not follow the one before it"
    const opened = openFrame(this, view)
    if (opened === undefined) return "a frame's checksum or authentication tag does not match"
    this.check()
    this.take(opened)
    this.tampered = false
    this.offset = view.end
    this.lsn = view.lsn
    this.chain = opened.chain
    if (this.parts.length === 0) this.end = { offset: this.offset, lsn: this.lsn, chain: this.chain }
    return undefined
  }

  // The frame is whole and in its place: what is wrong with it now was written so.
  private check(): void {
    const { flags, keyGeneration, kind, lsn, offset, syncedLsn } = this.view
    if (flags !== 0 || kind === 0 || kind > FrameKind.link) {
      throw unsupported(`a frame of unknown kind ${kind} with flags ${flags}`, offset)
    }
    if (syncedLsn >= lsn) throw new FormatError("a frame promises itself", offset)
    if (keyGeneration !== this.header.keyGeneration) throw new FormatError("a frame names another key", offset)
    if (this.sealed) throw new FormatError("a frame follows the end of a sealed segment", offset)
    if ((kind === FrameKind.link) !== (this.link === undefined)) {
      throw new FormatError("a segment has one LINK, as its first frame", offset)
    }
    const inGroup = kind === FrameKind.middle || kind === FrameKind.last
    if (inGroup !== this.parts.length > 0) throw new FormatError("the frames of a group are out of order", offset)
  }

  private take(opened: OpenedFrame): void {
    const { kind, lsn, offset } = this.view
    const { bytes, end, start } = opened
    this.promised = Math.max(this.promised, this.view.syncedLsn)
    if (kind === FrameKind.link) {
      this.link = this.checkLink(decodeLink(bytes.subarray(start, end)))
    } else if (kind === FrameKind.sealed || kind === FrameKind.syncMark) {
      if (end > start) throw new FormatError("a mark has a payload", offset)
      this.sealed = kind === FrameKind.sealed
    } else if (kind === FrameKind.full) {
      const frameEnd = this.view.end
      this.groups.push({ bytes, start, end, firstLsn: lsn, lastLsn: lsn, frameStart: offset, frameEnd })
    } else {
      this.takePart(bytes.subarray(start, end))
    }
  }

  private takePart(payload: Uint8Array): void {
    const { end: frameEnd, kind, lsn, syncedLsn } = this.view
    this.parts.push(payload)
    this.groupPromised = Math.max(this.groupPromised, syncedLsn)
    if (kind !== FrameKind.last) return
    // `this.end` still is where the group began.
    const bytes = concatBytes(this.parts)
    const { lsn: before, offset: frameStart } = this.end
    const place = { firstLsn: before + 1, lastLsn: lsn, frameStart, frameEnd }
    this.groups.push({ bytes, start: 0, end: bytes.length, ...place })
    this.parts = []
    this.groupPromised = 0
  }

  private checkLink(link: Link): Link {
    const { lsn, offset } = this.view
    const { expected } = this
    if (link.finalLsn !== lsn - 1) throw new FormatError("a LINK has not the LSN behind the one it names", offset)
    if (expected !== undefined && link.finalChain !== expected.chain) {
      throw new FormatError("a LINK does not name the end of the segment before it", offset)
    }
    this.promised = Math.max(this.promised, link.finalLsn)
    return link
  }

  private tail(reason: string | undefined): LogTail {
    const { offset } = this.end
    const bytes = this.bytes.length - offset
    const { tampered } = this
    if (bytes === 0) {
      return { kind: "clean", reason: "the segment ends with a whole frame", offset, bytes, tampered, ...noFrames }
    }
    const later = this.later()
    const inGroup = this.parts.length > 0
    const lsnMax = Math.max(later.lsnMax, inGroup ? this.lsn : 0)
    const promised = Math.max(later.promised, this.groupPromised)
    const kind = later.lsnMax > 0 ? "reordered" : inGroup ? "incompleteGroup" : this.zeros() ? "zeros" : "torn"
    return { kind, reason: reason ?? "the last group has no end", offset, bytes, lsnMax, promised, tampered }
  }

  private zeros(): boolean {
    for (let index = this.offset; index < this.bytes.length; index++) if (this.bytes[index] !== 0) return false
    return true
  }

  // Looks for valid frames with a later LSN behind the first invalid place, at every offset.
  private later(): { readonly lsnMax: number; readonly promised: number } {
    const { bytes, view } = this
    let lsnMax = 0
    let promised = 0
    // Frames do not overlap, so bodies of this many bytes cannot be there: headers were forged to slow this search.
    let budget = bytes.length * 4 + framePayloadMax
    let from = this.offset
    while (true) {
      const found = bytes.indexOf(this.fileTag & 255, from + frameTagOffset)
      if (found === -1) return { lsnMax, promised }
      const offset = found - frameTagOffset
      from = offset + 1
      if (readFrameHeader(this, offset, view) !== undefined) continue
      budget -= view.length + 64
      if (budget < 0) throw new FormatError("too many overlapping frames behind an invalid one", this.offset)
      if (openFrame(this, view) === undefined) continue
      from = view.end
      if (view.lsn <= this.lsn) continue
      lsnMax = Math.max(lsnMax, view.lsn)
      promised = Math.max(promised, view.syncedLsn)
    }
  }
}

const noFrames = { lsnMax: 0, promised: 0 }

/** What to do at the end of a segment. `offset` is in that segment. */
export type TailDecision =
  | { readonly _tag: "End" }
  | { readonly _tag: "Torn"; readonly reason: string; readonly offset: number; readonly bytes: number }
  | { readonly _tag: "Continue" }
  | { readonly _tag: "Corruption"; readonly reason: string; readonly offset: number; readonly tampered: boolean }

/**
 * Decides at the end of a segment: `End`, nothing is missing; `Torn`, the log ends here and these bytes are dropped;
 * `Continue`, with the next segment and `end` as what its LINK must say; `Corruption`, touch nothing.
 */
export const decideTail = (question: {
  readonly scan: Pick<SegmentScan, "end" | "tail"> & { readonly header: Pick<FileHeader, "fileNumber"> }
  /** The LINK of the next segment of the epoch, if there is that segment and its LINK is valid. */
  readonly nextLink: Link | undefined
  /** The highest `promised` of all later segments of the epoch; 0 if there is none. */
  readonly promisedLater: number
  readonly manifest: { readonly lsnDurable: number; readonly cleanShutdownLsn: number | undefined }
}): TailDecision => {
  const { manifest, nextLink, promisedLater, scan } = question
  const { end, header, tail } = scan
  const { offset } = tail
  const damage = (why: string): TailDecision => ({
    _tag: "Corruption",
    reason: `LSN ${end.lsn + 1} is missing (${tail.reason}), but ${why}`,
    offset,
    tampered: tail.tampered
  })
  if (tail.promised > end.lsn) return damage(`a later frame says that up to ${tail.promised} all was durable`)
  if (nextLink !== undefined) {
    const follows = nextLink.previousSegment === header.fileNumber
    if (follows && nextLink.finalLsn === end.lsn && nextLink.finalChain === end.chain) return { _tag: "Continue" }
    return damage(`the next segment follows LSN ${nextLink.finalLsn} of segment ${nextLink.previousSegment}`)
  }
  if (promisedLater > end.lsn) return damage(`a later segment says that up to ${promisedLater} all was durable`)
  const promised = Math.max(manifest.lsnDurable, manifest.cleanShutdownLsn ?? 0)
  if (promised > end.lsn) return damage(`the manifest says that up to ${promised} all was durable`)
  if (tail.bytes === 0) return { _tag: "End" }
  return { _tag: "Torn", reason: `${tail.kind}: ${tail.reason}`, offset, bytes: tail.bytes }
}
