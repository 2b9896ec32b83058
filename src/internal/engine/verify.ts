// Reads what the manifest names, and reports what is wrong with it. The log was read when the database was opened.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { Damage, VerifyReport } from "../../services/Maintenance.ts"
import type { TableMeta } from "../../services/Manifest.ts"
import type { EngineParts } from "./engine.ts"
import type { LiveView } from "./view.ts"

/** Of the tables of one moment, which are kept for as long as it takes. */
export const verify = (
  parts: EngineParts,
  live: LiveView,
  log: { readonly segments: number; readonly bytes: number }
): Effect.Effect<VerifyReport, DatabaseError> =>
  Effect.acquireUseRelease(
    Effect.sync(() => live.pinTables()),
    (pinned) =>
      verifyTables(
        parts,
        pinned.tables.map(({ meta }) => meta),
        log
      ),
    (pinned) => Effect.sync(pinned.release)
  )

const verifyTables = Effect.fn("Database.verify")(function* (
  { manifest, tables }: EngineParts,
  metas: ReadonlyArray<TableMeta>,
  log: { readonly segments: number; readonly bytes: number }
): Effect.fn.Return<VerifyReport, DatabaseError> {
  const damage: Array<Damage> = []
  let bytes = manifest.bytes() + log.bytes
  let blocks = 0
  let entries = 0
  for (const meta of metas) {
    const found = yield* tables.verify(meta)
    bytes += meta.bytes
    blocks += found.blocks
    entries += found.entries
    damage.push(...found.damage)
  }
  return { files: metas.length + log.segments + 1, bytes, blocks, entries, damage }
})
