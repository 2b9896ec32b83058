// Reads what the manifest names, and reports what is wrong with it. The log was read when the database was opened.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { Damage, VerifyReport } from "../../services/Maintenance.ts"
import type { EngineParts } from "./engine.ts"

export const verify = Effect.fn("Database.verify")(function* (
  parts: EngineParts,
  log: { readonly segments: number; readonly bytes: number }
): Effect.fn.Return<VerifyReport, DatabaseError> {
  const { manifest, tables } = parts
  const damage: Array<Damage> = []
  const metas = manifest.state().tables
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
