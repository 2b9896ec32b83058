// Reads a whole value file and says what is wrong with it, without the cache and from a handle of its own, as
// tableVerifier.ts does with tables. Whether its values are those that tables refer to is not asked here.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { ReadFile } from "../../services/Disk.ts"
import type { Damage } from "../../services/Maintenance.ts"
import type { ValueFileMeta } from "../../services/Manifest.ts"
import type { Section } from "../format/table.ts"
import type { ValueIndexBlock, ValuePlace } from "../format/valueIndex.ts"
import { batchBytesMax, batchesOf } from "../structure/valueBatches.ts"
import { ValueFileAudit } from "../structure/valueFileAudit.ts"
import type { ValueFileParts } from "../structure/valueFileOpening.ts"
import { asDamage, orDamage } from "./damage.ts"
import { readAt } from "./opening.ts"
import { openValueFile, type ValueParts } from "./valueFile.ts"

export interface ValueReport {
  readonly values: number
  readonly damage: ReadonlyArray<Damage>
}

/** Read and checked between two yields: about a millisecond. */
const sliceBytesMax = 1024 * 1024

interface Reading {
  readonly file: ReadFile
  readonly audit: ValueFileAudit
  sliceBytes: number
}

/** The bytes, or what keeps them from being read. */
const read = (reading: Reading, section: Section): Effect.Effect<Uint8Array | Damage, DatabaseError> => {
  const bytes = orDamage(readAt(reading.file, section))
  reading.sliceBytes += section.bytes
  if (reading.sliceBytes <= sliceBytesMax) return bytes
  reading.sliceBytes = section.bytes
  return Effect.andThen(Effect.yieldNow, bytes)
}

const readLong = Effect.fnUntraced(function* (reading: Reading, place: ValuePlace) {
  const { audit } = reading
  const pieces = audit.begin(place)
  for (let asked = pieces.next(); asked !== undefined; asked = pieces.next()) {
    const bytes = yield* read(reading, asked)
    if (!(bytes instanceof Uint8Array)) return audit.skip(bytes.offset, bytes.message)
    if (!audit.piece(pieces, bytes, 0)) return
  }
})

const readValues = Effect.fnUntraced(function* (reading: Reading, index: ValueIndexBlock) {
  const { audit } = reading
  const places = Array.from({ length: index.count }, (_, position) => index.at(position))
  for (const { bytes: length, members, offset } of batchesOf(places)) {
    if (length > batchBytesMax) {
      yield* readLong(reading, places[members[0]!]!)
      continue
    }
    const bytes = yield* read(reading, { offset, bytes: length })
    if (!(bytes instanceof Uint8Array)) audit.skip(bytes.offset, bytes.message)
    else for (const member of members) audit.value(places[member]!, bytes, places[member]!.offset - offset)
  }
})

const readAll = Effect.fnUntraced(function* (file: ReadFile, opened: ValueFileParts) {
  const audit = new ValueFileAudit(opened)
  const reading: Reading = { file, audit, sliceBytes: 0 }
  for (const section of opened.sections) {
    for (const block of section.blocks) {
      const bytes = yield* read(reading, block)
      const index = bytes instanceof Uint8Array ? audit.index(block, bytes) : audit.skipIndex(block, bytes.message)
      if (index !== undefined) yield* readValues(reading, index)
    }
    audit.endSection(section)
  }
  const top = yield* read(reading, opened.footer.top)
  if (top instanceof Uint8Array) audit.finish(top)
  else audit.skip(top.offset, top.message)
  const damage = audit.damage.map(({ message, offset }) => ({ file: file.path, offset, message }))
  return { values: audit.values, damage } satisfies ValueReport
})

/** Fails only if the file cannot be judged: a missing file of a read-only database, no handles left. */
export const verifyValueFile = (parts: ValueParts, meta: ValueFileMeta): Effect.Effect<ValueReport, DatabaseError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.matchEffect(restore(openValueFile(parts, meta)), {
      onFailure: (error): Effect.Effect<ValueReport, DatabaseError> => {
        const damage = asDamage(error)
        return damage === undefined ? Effect.fail(error) : Effect.succeed({ values: 0, damage: [damage] })
      },
      onSuccess: ({ file, opened }) => Effect.ensuring(restore(readAll(file, opened)), Effect.ignore(file.close))
    })
  )
