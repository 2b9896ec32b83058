// What somebody does to the bytes of files, and what has to come of it.
//
// Whatever is changed is refused, at the opening or by the reads that meet it, or found by `verify` where no read needs
// it, with exactly these exceptions, which are harmless by design:
//
//   prepared segment   a log segment that was made ahead and not begun holds nothing; nobody believes it
//   last edits         of a manifest, behind what the marker promises: one that is not whole, and all behind a cut,
//                      count as not published, and the shutdown as a crash. What they published is still in the log or
//                      in other files and is read there, or if that is gone, the opening is refused
//   tail of the log    of a database that was not closed: what no later frame promises, the last group. It is dropped,
//                      and the recovery reports it (`tailDropped`). Cut where a frame ends, or with the whole segment,
//                      it looks like a crash before the commit, and only `clean` tells
//   more bytes         behind the end of a log or a manifest are an append that did not finish. They are dropped, and
//                      reported if they are behind the last segment
//   ballast            holds nothing and is read by nobody (test/ballastSealed.test.ts)
import { writeU32 } from "../../src/internal/format/bytes.ts"
import { crc32Range } from "../../src/internal/format/checksum.ts"
import { associatedFileBytes, fileHeaderBytes } from "../../src/internal/format/fileHeader.ts"
import { frameHeaderBytes, FrameKind } from "../../src/internal/format/logFrame.ts"
import { manifestFrameHeaderBytes } from "../../src/internal/format/manifestFrame.ts"
import type { Reason } from "../../src/services/DatabaseError.ts"
import { Dice } from "../internal/format/support.ts"
import { flipped, type Image, joined, pathsOf, withFiles } from "./scenario.ts"
import type { Verdict } from "./tamperJudge.ts"
import { framesOf, kindOf, type Part } from "./tamperParts.ts"
import type { Contents, Target } from "./tamperTarget.ts"

/** Files with something changed, and how it may end. */
export interface Change extends Outcome {
  readonly where: string
  readonly image: Image
  /** One of them has to be named; none: any. */
  readonly files: ReadonlyArray<string>
}

export interface Outcome {
  readonly contents: Contents
  readonly verdicts: ReadonlyArray<Verdict>
  readonly reasons: ReadonlyArray<Reason["_tag"]>
}

export const noticed: ReadonlyArray<Verdict> = ["refused", "reads", "verify"]

const isSealed = (bytes: Uint8Array): boolean => bytes[11] === 20

/** What may be said of the file: where all is sealed and has its own place, nothing but that somebody changed it. */
const reasonsAt = (path: string, bytes: Uint8Array, offset: number): Outcome["reasons"] => {
  const kind = kindOf(path)
  if (kind === "keyring") return ["Tampered"]
  if (!isSealed(bytes)) return ["Corruption", "Unsupported"]
  const isAllSealed = kind === "table" || kind === "current"
  return isAllSealed && offset >= fileHeaderBytes && offset < bytes.length ? ["Tampered"] : ["Tampered", "Corruption"]
}

/** The segment that took the last commits. */
export const lastSegment = ({ image }: Pick<Target, "image">): string =>
  pathsOf(image, "log").findLast((path) => image.get(path)!.length > fileHeaderBytes)!

export const isPrepared = (target: Target, path: string): boolean =>
  kindOf(path) === "log" && path > lastSegment(target)

export const hasFrames = (path: string): boolean => kindOf(path) === "log" || kindOf(path) === "manifest"

/** What has to come of it if the file is not what it was from this offset on, but goes on to its end. */
export const outcomeAt = (target: Target, path: string, offset: number): Outcome => {
  const { contents, image, states } = target
  const bytes = image.get(path)!
  const reasons = reasonsAt(path, bytes, offset)
  if (isPrepared(target, path)) return { contents, verdicts: ["unseen"], reasons }
  const last = hasFrames(path) ? framesOf(path, bytes).at(-1) : undefined
  if (last === undefined || offset < last.offset) return { contents, verdicts: noticed, reasons }
  if (kindOf(path) === "manifest") return { contents, verdicts: ["unseen"], reasons }
  const isPromised = path !== lastSegment(target) || states.length === 1
  return isPromised
    ? { contents, verdicts: noticed, reasons }
    : { contents: states.at(-2)!, verdicts: ["tail"], reasons }
}

/** The same of a file that was cut off. */
export const outcomeOfCut = (target: Target, path: string, length: number): Outcome => {
  const { contents, image, states } = target
  const bytes = image.get(path)!
  const reasons = reasonsAt(path, bytes, bytes.length)
  const frames = hasFrames(path) ? framesOf(path, bytes) : []
  if (kindOf(path) === "log" && path === lastSegment(target) && states.length > 1) {
    const isFirst = pathsOf(image, "log").indexOf(path) === 0
    if (isFirst && length < frames[0]!.end) return { contents, verdicts: noticed, reasons }
    const isClean =
      length <= fileHeaderBytes || frames.some((frame) => frame.end === length && !isInGroup(bytes, frame))
    return { contents: states[commitsIn(target, length)]!, verdicts: [isClean ? "unseen" : "tail"], reasons }
  }
  if (kindOf(path) !== "manifest" || length < frames[0]!.end) return outcomeAt(target, path, 0)
  return { contents, verdicts: ["unseen", "refused"], reasons }
}

/** FIRST and MIDDLE: more has to follow. */
const isInGroup = (bytes: Uint8Array, { offset }: Part): boolean =>
  bytes[offset + 8] === FrameKind.first || bytes[offset + 8] === FrameKind.middle

/** How many of the last segment's commits are whole in its first bytes. */
const commitsIn = (target: Target, length: number): number => {
  const path = lastSegment(target)
  const bytes = target.image.get(path)!
  const commits = framesOf(path, bytes).filter(({ offset }) => endsCommit.has(bytes[offset + 8]!))
  return commits.filter(({ end }) => end <= length).length
}
const endsCommit = new Set<number>([FrameKind.full, FrameKind.last])

/** What has to come of bytes behind the file's end. */
export const outcomeOfMore = (target: Target, path: string): Outcome => {
  const { contents, image } = target
  const outcome = { contents, reasons: reasonsAt(path, image.get(path)!, image.get(path)!.length) }
  if (!hasFrames(path)) return { ...outcome, verdicts: noticed }
  const isSeen = kindOf(path) === "log" && path >= lastSegment(target)
  return { ...outcome, verdicts: [isSeen ? "tail" : "unseen"] }
}

const nameOf = (target: Target, path: string): string => `${target.name} ${path}`

/** One bit of every `step`-th byte, each bit in its turn, and every bit of some bytes. */
export const flips = function* (target: Target, path: string, step: number): Generator<Change> {
  const bytes = target.image.get(path)!
  const change = (at: number, bit: number): Change => ({
    where: `${nameOf(target, path)}:${at} bit ${bit}`,
    image: withFiles(target.image, { [path]: flipped(bytes, at, 1 << bit) }),
    files: [path],
    ...outcomeAt(target, path, at)
  })
  for (let at = bytes.length % step; at < bytes.length; at += step) yield change(at, at % 8)
  const dice = new Dice(bytes.length)
  for (let count = 0; count < 32 / step; count++) {
    const at = dice.below(bytes.length)
    for (let bit = 0; bit < 8; bit++) yield change(at, bit)
  }
}

/** At each boundary, a byte before and behind it, and at random lengths; and longer than it was. */
export const lengths = function* (target: Target, path: string, parts: ReadonlyArray<Part>): Generator<Change> {
  const bytes = target.image.get(path)!
  const dice = new Dice(bytes.length)
  const boundaries = [0, fileHeaderBytes, bytes.length, ...parts.flatMap(({ end, offset }) => [offset, end])]
  const random = Array.from({ length: 6 }, () => dice.below(bytes.length))
  const all = new Set([...boundaries.flatMap((at) => [at - 1, at, at + 1]), ...random])
  for (const length of [...all].sort((a, b) => a - b)) {
    if (length < 0 || length >= bytes.length) continue
    const image = withFiles(target.image, { [path]: bytes.slice(0, length) })
    // A manifest that ends before it did may miss a log segment that is gone for good.
    const files = kindOf(path) === "manifest" ? [] : [path]
    yield { where: `${nameOf(target, path)} cut to ${length}`, image, files, ...outcomeOfCut(target, path, length) }
  }
  for (const more of [new Uint8Array(1), new Uint8Array(200), dice.bytes(77)]) {
    const image = withFiles(target.image, { [path]: joined(bytes, more) })
    const where = `${nameOf(target, path)} and ${more.length} bytes`
    yield { where, image, files: [path], ...outcomeOfMore(target, path) }
  }
}

const outcomeOfForgery = (target: Target, path: string, at: number): Outcome => {
  const outcome = outcomeAt(target, path, at)
  // One that claims to be of a later version is not passed over.
  if (isPrepared(target, path)) return { ...outcome, verdicts: ["unseen", "refused"] }
  const isTail = path === lastSegment(target) && target.states.length > 1 && at < fileHeaderBytes
  // With another file id or key no frame of the last segment opens, as if it were overwritten: all of it is a tail. Of
  // a later epoch, it is not believed, as if it were gone.
  return isTail ? { ...outcome, contents: target.states[0]!, verdicts: ["refused", "tail", "unseen"] } : outcome
}

// Salt and commitment tell whether the key is the keyring's: with others there, it is another one.
const ofKeyring: Outcome["reasons"] = ["Tampered", "Unsupported", "EncryptionKeyMismatch"]

/** Headers of sealed files and frames in which somebody changed something, and put their checksums right. */
export const forgeries = function* (target: Target, path: string): Generator<Change> {
  const bytes = target.image.get(path)!
  const change = (forged: Uint8Array, at: number): Change => ({
    where: `${nameOf(target, path)}:${at} forged`,
    image: withFiles(target.image, { [path]: forged }),
    files: [],
    ...outcomeOfForgery(target, path, at),
    reasons: kindOf(path) === "keyring" ? ofKeyring : ["Tampered", "Corruption", "Unsupported"]
  })
  for (let at = 8; at < associatedFileBytes; at++) {
    const forged = flipped(bytes, at, 1 << (at % 8))
    writeU32(forged, associatedFileBytes, crc32Range(forged, 0, associatedFileBytes))
    yield change(putRight(path, forged), at)
  }
  for (const { offset } of hasFrames(path) ? framesOf(path, bytes) : []) {
    const end = offset + (kindOf(path) === "log" ? frameHeaderBytes : manifestFrameHeaderBytes)
    for (let at = offset + 4; at < end; at++) {
      const forged = flipped(bytes, at, 1 << (at % 8))
      writeU32(forged, offset, crc32Range(forged, offset + 4, end))
      yield change(forged, at)
    }
  }
  if (kindOf(path) !== "keyring") return
  for (let at = fileHeaderBytes; at < bytes.length - 4; at++) {
    yield change(putRight(path, flipped(bytes, at, 1 << (at % 8))), at)
  }
}

/** A keyring has a checksum of all of it. */
const putRight = (path: string, bytes: Uint8Array): Uint8Array => {
  if (kindOf(path) === "keyring") writeU32(bytes, bytes.length - 4, crc32Range(bytes, 0, bytes.length - 4))
  return bytes
}
