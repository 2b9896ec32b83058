// What somebody does with blocks, frames and files that are sealed well, and stand in another place than their own:
// elsewhere in the file, in another file, in another database, in another time. What has to come of it is as in
// tamperings.ts, and so is what is harmless by design, and besides:
//
//   leftovers          files that the newest marker does not lead to are not believed, whatever they are
//   rollback           the files of an earlier moment, all of them: that is a backup
import { fileHeaderBytes } from "../../src/internal/format/fileHeader.ts"
import { Dice } from "../internal/format/support.ts"
import { type Image, joined, pathsOf, withFiles } from "./scenario.ts"
import {
  type Change,
  isPrepared,
  lastSegment,
  noticed,
  type Outcome,
  outcomeAt,
  outcomeOfCut,
  outcomeOfMore
} from "./tamperings.ts"
import { framesOf, kindOf, type Part } from "./tamperParts.ts"
import type { Target } from "./tamperTarget.ts"

/** A database and where its blocks are. */
export interface Source {
  readonly name: string
  readonly target: Target
  readonly blocks: ReadonlyMap<string, ReadonlyArray<Part>>
}

interface Block extends Part {
  readonly path: string
}

const blocksIn = ({ blocks }: Source, kind: string): ReadonlyArray<Block> =>
  [...blocks].flatMap(([path, parts]) => (kindOf(path) === kind ? parts.map((part) => ({ ...part, path })) : []))

const lengthOf = ({ end, offset }: Part): number => end - offset

/** Blocks of the source put over those of the database that are as long, or longer; `count` pairs of each kind. */
export const movedBlocks = function* (to: Source, from: Source, count: number): Generator<Change> {
  const { image } = to.target
  const dice = new Dice(count)
  for (const kind of ["table", "value"]) {
    const pairs = blocksIn(to, kind).flatMap((place) =>
      blocksIn(from, kind).flatMap((block) => (lengthOf(block) <= lengthOf(place) ? [{ place, block }] : []))
    )
    // The same place in the same file of another database first: there only what is sealed differs.
    const isTwin = ({ block, place }: (typeof pairs)[number]) =>
      block.path === place.path && block.offset === place.offset
    const twins = to === from ? [] : pairs.filter(isTwin)
    const others = pairs.filter((pair) => !isTwin(pair))
    const some = Array.from({ length: Math.min(count, others.length) }, () => dice.pick(others))
    for (const { block, place } of [...twins, ...some]) {
      const bytes = image.get(place.path)!.slice()
      const moved = from.target.image.get(block.path)!.subarray(block.offset, block.end)
      if (Buffer.compare(bytes.subarray(place.offset, place.offset + moved.length), moved) === 0) continue
      bytes.set(moved, place.offset)
      if (to === from && lengthOf(block) === lengthOf(place) && block.path === place.path) {
        bytes.set(image.get(place.path)!.subarray(place.offset, place.end), block.offset)
      }
      yield {
        where: `${from.name} ${block.path}:${block.offset} at ${place.path}:${place.offset}`,
        image: withFiles(image, { [place.path]: bytes }),
        files: [place.path],
        ...outcomeAt(to.target, place.path, Math.min(block.offset, place.offset))
      }
    }
  }
}

/** Frames dropped, doubled, exchanged with the next one. */
export const movedFrames = function* (target: Target, path: string): Generator<Change> {
  const bytes = target.image.get(path)!
  const frames = framesOf(path, bytes)
  const change = (what: string, parts: ReadonlyArray<Uint8Array>, outcome: Outcome): Change => ({
    where: `${target.name} ${path}, frame ${what}`,
    image: withFiles(target.image, { [path]: joined(...parts) }),
    files: kindOf(path) === "manifest" ? [] : [path],
    ...outcome
  })
  for (const [index, { end, offset }] of frames.entries()) {
    const [before, frame, behind] = [bytes.subarray(0, offset), bytes.subarray(offset, end), bytes.subarray(end)]
    const next = frames[index + 1]
    const at = outcomeAt(target, path, offset)
    const dropped = next === undefined ? outcomeOfCut(target, path, offset) : at
    yield change(`${index} dropped`, [before, behind], dropped)
    // Behind the double of the last but one, the last is where it is not due: an unpromised tail, if of a log.
    const doubled =
      next === undefined ? outcomeOfMore(target, path) : kindOf(path) === "log" ? outcomeAt(target, path, end) : at
    yield change(`${index} twice`, [before, frame, frame, behind], doubled)
    if (next === undefined) continue
    const [second, rest] = [bytes.subarray(end, next.end), bytes.subarray(next.end)]
    yield change(`${index} behind the next`, [before, second, frame, rest], at)
  }
}

/** Frames of another database, at the same ordinal of the file that is in the same place. */
export const foreignFrames = function* (target: Target, path: string, from: Source): Generator<Change> {
  const kind = kindOf(path)
  const twin = pathsOf(from.target.image, kind)[pathsOf(target.image, kind).indexOf(path)]
  if (twin === undefined) return
  const [ours, theirs] = [target.image.get(path)!, from.target.image.get(twin)!]
  const foreign = framesOf(twin, theirs).map(({ end, offset }) => theirs.subarray(offset, end))
  for (const [index, { end, offset }] of framesOf(path, ours).entries()) {
    const frame = foreign[index]
    if (frame === undefined) continue
    yield {
      where: `${target.name} ${path}, frame ${index} of ${from.name}`,
      image: withFiles(target.image, { [path]: joined(ours.subarray(0, offset), frame, ours.subarray(end)) }),
      files: [path],
      ...outcomeAt(target, path, offset)
    }
  }
  const last = foreign.at(-1)
  if (last === undefined) return
  yield {
    where: `${target.name} ${path} and the last frame of ${from.name}`,
    image: withFiles(target.image, { [path]: joined(ours, last) }),
    files: [path],
    ...outcomeOfMore(target, path)
  }
}

/** Each file taken away. */
export const missingFiles = function* (target: Target): Generator<Change> {
  const { contents, image, states } = target
  for (const path of image.keys()) {
    const isTail = path === lastSegment(target) && states.length > 1
    const isLost = !isTail && !isPrepared(target, path)
    yield {
      where: `${target.name} without ${path}`,
      image: withFiles(image, { [path]: undefined }),
      files: [],
      contents: isTail ? states[0]! : contents,
      verdicts: isLost ? ["refused"] : ["unseen"],
      reasons: kindOf(path) === "keyring" ? ["Tampered"] : ["Corruption"]
    }
  }
}

/** Each file exchanged for each of the same kind that another image has. */
export const exchangedFiles = function* (target: Target, from: { name: string; image: Image }): Generator<Change> {
  const { contents, image } = target
  for (const [path, bytes] of image) {
    for (const other of pathsOf(from.image, kindOf(path))) {
      const given = from.image.get(other)!
      if (Buffer.compare(given, bytes) === 0) continue
      const isNothing = isPrepared(target, path) && given.length <= fileHeaderBytes
      const isTail = path === lastSegment(target) && target.states.length > 1
      const isCut = isTail && given.length <= fileHeaderBytes
      yield {
        where: `${target.name} ${path} exchanged for ${from.name} ${other}`,
        image: withFiles(image, { [path]: given }),
        files: [],
        contents: isCut ? target.states[0]! : contents,
        verdicts: isNothing || isCut ? ["unseen"] : noticed,
        reasons: ["Tampered", "Corruption", "EncryptionKeyMismatch", "EncryptionKeyRequired", "NotEncrypted"]
      }
    }
  }
}
