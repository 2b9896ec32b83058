// Reads a whole table and says what is wrong with it, without the cache and from a handle of its own: an open table's
// index and filter were read when it was opened, and may no longer be what the file holds.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { Damage } from "../../services/Maintenance.ts"
import type { TableMeta } from "../../services/Manifest.ts"
import type { CheckNamed } from "../../services/SsTable.ts"
import { FormatError } from "../format/formatError.ts"
import { Layout } from "../format/storedBlock.ts"
import { decodeProperties } from "../format/table.ts"
import { namedValues } from "../structure/namedValues.ts"
import { TableAudit } from "../structure/tableAudit.ts"
import { openStored } from "../structure/tableOpening.ts"
import { asDamage, orDamage } from "./damage.ts"
import { ofRead } from "./opening.ts"
import { openTableFile, type OpenedTable, readSection, type TableParts } from "./tableFile.ts"

export interface TableReport {
  readonly blocks: number
  readonly entries: number
  readonly damage: ReadonlyArray<Damage>
}

/** Read and checked between two yields: about a millisecond. */
const sliceBytesMax = 128 * 1024

/** What is wrong with the values that the entries name. */
const readBlocks = Effect.fnUntraced(function* (table: OpenedTable, audit: TableAudit, check: CheckNamed | undefined) {
  const { file, index, sealer } = table
  const damage: Array<Damage> = []
  let sliceBytes = 0
  for (let ordinal = 0; ordinal < index.count; ordinal++) {
    const offset = index.offsets[ordinal]
    const length = index.lengths[ordinal]
    sliceBytes += length
    if (sliceBytes > sliceBytesMax) {
      sliceBytes = length
      yield* Effect.yieldNow
    }
    const bytes = yield* orDamage(Effect.mapError(file.read(offset, length), ofRead))
    if (bytes instanceof Uint8Array) {
      const tag = bytes.subarray(Math.max(0, length - sealer.tagBytes))
      const before = audit.damage.length
      let plain: Uint8Array | undefined
      audit.block(ordinal, tag, () => (plain = openStored(table, Layout.entries, { bytes, offset })))
      if (check === undefined || plain === undefined || audit.damage.length > before) continue
      const named = namedValues(plain)
      if (named.length > 0) damage.push(...(yield* check(named, { file: file.path, offset })))
    } else {
      audit.skip(ordinal, bytes.message)
    }
  }
  audit.finish()
  return damage
})

const readProperties = (meta: TableMeta, table: OpenedTable): Effect.Effect<void, DatabaseError> =>
  readSection(table, { ...table.footer.properties, layout: Layout.properties }, (plain) => {
    const { entryCount, rangeRemovalCount, removeCount, sequenceMax, sequenceMin } = decodeProperties(plain)
    const agrees =
      entryCount === meta.entryCount &&
      removeCount === meta.removeCount &&
      rangeRemovalCount === meta.rangeRemovalCount &&
      sequenceMin === meta.sequenceMin &&
      sequenceMax === meta.sequenceMax
    if (!agrees) throw new FormatError("the table's properties are not what the manifest says", 0)
  })

const readAll = Effect.fnUntraced(function* (meta: TableMeta, table: OpenedTable, check: CheckNamed | undefined) {
  const { path } = table.file
  const audit = new TableAudit(meta, table)
  const ofValues = yield* readBlocks(table, audit, check)
  const damage: Array<Damage> = audit.damage.map(({ message, offset }) => ({ file: path, offset, message }))
  damage.push(...ofValues)
  const properties = yield* orDamage(readProperties(meta, table))
  if (properties !== undefined) damage.push(properties)
  return { blocks: table.index.count, entries: audit.entries, damage } satisfies TableReport
})

/** Fails only if the table cannot be judged: a missing file of a read-only database, no handles left. */
export const verifyTable = (
  parts: TableParts,
  meta: TableMeta,
  check: CheckNamed | undefined
): Effect.Effect<TableReport, DatabaseError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.matchEffect(restore(openTableFile(parts, meta)), {
      onFailure: (error): Effect.Effect<TableReport, DatabaseError> => {
        const damage = asDamage(error)
        return damage === undefined ? Effect.fail(error) : Effect.succeed({ blocks: 0, entries: 0, damage: [damage] })
      },
      onSuccess: (table) => Effect.ensuring(restore(readAll(meta, table, check)), Effect.ignore(table.file.close))
    })
  )
