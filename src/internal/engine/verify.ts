// Reads what the manifest names, and reports what is wrong with it. The log was read when the database was opened.
//
//   of a table       tableVerifier.ts; and every value that its entries name is read (valueCheck.ts)
//   of a value file  valueVerifier.ts, values that nothing names too
//   of both          tables name no more values of a section than it holds
//
// A live value is read twice: in the order of its file, and as its entry names it. Of an encrypted database the keyring
// is read, too, and compared with the keys that are in use.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { Damage, VerifyReport } from "../../services/Maintenance.ts"
import type { ManifestService } from "../../services/Manifest.ts"
import type { SsTableService } from "../../services/SsTable.ts"
import type { ValueFile, ValueLogService } from "../../services/ValueLog.ts"
import { valueFileName } from "../format/fileName.ts"
import { ValueReferences } from "../structure/valueReferences.ts"
import { orDamage } from "./damage.ts"
import { ValueCheck } from "./valueCheck.ts"
import type { LiveView, PinnedFiles } from "./view.ts"

export interface VerifyParts {
  readonly manifest: ManifestService
  readonly tables: SsTableService
  readonly values: ValueLogService
}

const valueFileEnding = valueFileName(0).slice(-4)

interface Log {
  readonly segments: number
  readonly bytes: number
}

/** Of the files of one moment, which are kept for as long as it takes. */
export const verify = (parts: VerifyParts, live: LiveView, log: Log): Effect.Effect<VerifyReport, DatabaseError> =>
  Effect.acquireUseRelease(
    Effect.sync(() => hold(live)),
    ({ direct, pinned }) => verifyFiles(parts, { ...pinned, direct }, log),
    ({ release }) => Effect.sync(release)
  )

interface HeldFiles extends PinnedFiles {
  /** Of commits that are in memtables alone: the log names them. */
  readonly direct: ReadonlyArray<ValueFile>
}

const hold = (live: LiveView) => {
  const pinned = live.pinTables()
  const direct = live.current.slots.flatMap(({ values }) => values)
  const releases = [pinned.release, ...direct.map((file) => live.pinValue(file))]
  return { pinned, direct, release: () => releases.forEach((release) => release()) }
}

const verifyFiles = Effect.fn("Database.verify")(function* (
  { manifest, tables, values }: VerifyParts,
  pinned: HeldFiles,
  log: Log
): Effect.fn.Return<VerifyReport, DatabaseError> {
  const check = new ValueCheck(pinned.values)
  const damage: Array<Damage> = [...tooManyNamed(pinned, manifest.directory)]
  const ring = yield* orDamage(manifest.encryption.verify)
  const ringBytes = typeof ring === "number" ? ring : 0
  if (typeof ring !== "number") damage.push(ring)
  const read = { bytes: manifest.bytes() + log.bytes + ringBytes, blocks: 0, entries: 0, values: 0 }
  for (const { meta } of pinned.tables) {
    const found = yield* tables.verify(meta, (named, place) => check.of(named, place))
    read.bytes += meta.bytes
    read.blocks += found.blocks
    read.entries += found.entries
    damage.push(...found.damage)
  }
  for (const { meta } of [...pinned.valueFiles, ...pinned.direct]) {
    const found = yield* values.verify(meta)
    read.bytes += meta.bytes
    read.values += found.values
    damage.push(...found.damage)
  }
  const files =
    pinned.tables.length + pinned.valueFiles.length + pinned.direct.length + log.segments + 1 + (ringBytes > 0 ? 1 : 0)
  return { ...read, files, damage: distinct(damage) }
})

const tooManyNamed = ({ tables, valueFiles }: PinnedFiles, directory: string): ReadonlyArray<Damage> => {
  const references = new ValueReferences()
  references.learn(tables)
  return valueFiles.flatMap(({ meta }) =>
    meta.sections.flatMap((section) => {
      const { liveBytes, liveCount } = references.of({ ...meta, sections: [section] })
      if (liveCount <= section.count && liveBytes <= section.bytes) return []
      const named = `tables name ${liveCount} values of ${liveBytes} bytes of file ${section.id}`
      const message = `${named}, which has ${section.count} of ${section.bytes}`
      return [{ file: `${directory}/${valueFileName(meta.number)}`, offset: 0, message }]
    })
  )
}

/** A damaged place of a value file is met from both sides. */
const distinct = (damage: ReadonlyArray<Damage>): ReadonlyArray<Damage> => {
  const met = new Set<string>()
  return damage.filter(({ file, offset }) => {
    const place = `${file}:${offset}`
    if (!file.endsWith(valueFileEnding)) return true
    if (met.has(place)) return false
    met.add(place)
    return true
  })
}
