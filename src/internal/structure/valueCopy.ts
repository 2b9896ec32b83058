// Copies values from one file to a new one, as they stand in the old one: neighbours are read together, and of a long
// value a few pieces at a time. Each piece is checked before it is sealed again: damage is not carried on into a file
// whose checksums are right. Whose value it is goes with it, and is compared by who reads it. What is compressed stays
// so, whatever new values are compressed with.
import type { Section } from "../format/table.ts"
import type { ValueFileBuilder } from "../format/valueFileBuilder.ts"
import type { ValueIndexEntry } from "../format/valueIndex.ts"
import { ValuePieces } from "../format/valuePieces.ts"
import { inFile } from "./fileDamage.ts"
import type { JobAnswer, JobFile, JobRequest } from "./jobRequest.ts"
import type { ValueFileParts } from "./valueFileOpening.ts"

/** Of one read; a piece is shorter. */
const readBytesMax = 1024 * 1024
/** Dead bytes that are read with live ones before and behind them: a read of its own costs more. */
const gapBytesMax = 32 * 1024
/** Copied in one slice, unless a piece is longer. */
const sliceBytesMax = 64 * 1024

export class ValueCopy {
  private readonly parts: ValueFileParts
  private readonly file: JobFile
  private readonly places: ReadonlyArray<ValueIndexEntry>
  /** The value that is copied, and its pieces. */
  private at = 0
  private pieces: ValuePieces | undefined
  private bytes: Uint8Array = new Uint8Array(0)
  /** Where `bytes` begin in the file. */
  private bytesOffset = 0

  /** `places` ascend. */
  constructor(parts: ValueFileParts, places: ReadonlyArray<ValueIndexEntry>) {
    this.parts = parts
    this.file = { kind: "value", number: parts.meta.number }
    this.places = places
  }

  /** Copies what was read, a slice of it at most. What is needed to go on; `undefined` when all is copied. */
  copy(builder: ValueFileBuilder): JobRequest | undefined {
    for (let copied = 0; copied < sliceBytesMax;) {
      const place = this.places[this.at]
      if (place === undefined) return undefined
      this.pieces ??= this.begin(builder, place)
      const { pieces } = this
      const asked = pieces.next()
      if (asked === undefined) {
        builder.endCopy(pieces.length)
        this.pieces = undefined
        this.at += 1
        continue
      }
      const start = asked.offset - this.bytesOffset
      if (start < 0 || start + asked.bytes > this.bytes.length) return this.read(asked, place)
      const body = inFile(this.file, () => pieces.feedBody(this.bytes, start))
      builder.copyPiece(body)
      copied += body.plainLength
    }
    return { _tag: "Pause" }
  }

  feed(answer: JobAnswer): void {
    if (answer instanceof Uint8Array) this.bytes = answer
  }

  private begin(builder: ValueFileBuilder, place: ValueIndexEntry): ValuePieces {
    builder.beginCopy(place.index)
    return new ValuePieces(this.parts, place)
  }

  private read(piece: Section, { offset, storedBytes }: ValueIndexEntry): JobRequest {
    const { file, places } = this
    const most = piece.offset + readBytesMax
    const valueEnd = offset + storedBytes
    let end = piece.offset + piece.bytes
    while (end < valueEnd) {
      const next = Math.min(end + piece.bytes, valueEnd)
      if (next > most) break
      end = next
    }
    if (end === valueEnd) {
      for (let next = this.at + 1; next < places.length; next++) {
        const place = places[next]!
        const placeEnd = place.offset + place.storedBytes
        if (place.offset - end > gapBytesMax || placeEnd > most) break
        end = placeEnd
      }
    }
    this.bytesOffset = piece.offset
    this.bytes = new Uint8Array(0)
    return { _tag: "Read", file, offset: piece.offset, length: end - piece.offset, lane: 0 }
  }
}
