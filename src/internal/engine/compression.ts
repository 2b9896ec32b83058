// Which codecs a database has: those that are built in, those of the layers, and those that its manifest names.
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { CompressionShape, FileCompression, KnownCodec } from "../../services/Compression.ts"
import { type DatabaseError, fail, invalid, Unsupported } from "../../services/DatabaseError.ts"
import type { FileEncryption, FileSealer } from "../../services/Encryption.ts"
import type { TableMeta } from "../../services/Manifest.ts"
import { CodecId, Codecs } from "../format/codec.ts"
import type { CodecRow } from "../format/manifestEdit.ts"
import { withCodecs } from "../format/sealer.ts"
import { zstd } from "../format/zstd.ts"

const builtin: ReadonlyArray<CodecRow> = [{ id: CodecId.none, name: "none" }, zstd]

/** The shape with ids for names. Fails `Invalid` where two codecs share an id or a name, or a level names none. */
export const compressionOf = (shape: CompressionShape): Effect.Effect<FileCompression, DatabaseError> =>
  Effect.suspend(() => {
    const { asFound = false, bottom, known, upper, values } = shape
    const ids = new Map<string, number>()
    for (const { id, name } of [...builtin, ...known]) {
      if (ids.has(name) || [...ids.values()].includes(id)) {
        return Effect.fail(invalid(`codec ${id}, "${name}": the id or the name is that of another`))
      }
      ids.set(name, id)
    }
    const unknown = [upper, bottom, values].find((name) => !ids.has(name))
    if (unknown !== undefined) {
      return Effect.fail(invalid(`there is no codec "${unknown}"; there are ${[...ids.keys()].join(", ")}`))
    }
    const idOf = (name: string): number => ids.get(name)!
    return Effect.succeed({ upper: idOf(upper), bottom: idOf(bottom), values: idOf(values), known, asFound })
  })

/** The same for a database that has these tables. */
export const compressionFor = (
  tables: ReadonlyArray<Pick<TableMeta, "codec" | "level" | "number">>,
  compression: FileCompression
): FileCompression => {
  if (compression.asFound !== true) return compression
  const [last] = tables.filter(({ level }) => level > 0).sort((a, b) => b.level - a.level || b.number - a.number)
  return last === undefined ? compression : { ...compression, bottom: last.codec }
}

/** What the manifest is to name: the codecs that files may have from now on. */
export const codecRowsOf = ({ bottom, known, upper, values }: FileCompression): ReadonlyArray<CodecRow> =>
  [...builtin, ...known]
    .filter(({ id }) => id !== CodecId.none && (id === upper || id === bottom || id === values))
    .map(({ id, name }) => ({ id, name }))

/** Fails for a codec that the manifest names and nobody has provided. Nothing was touched. */
export const checkCodecs = (
  { known }: FileCompression,
  rows: ReadonlyArray<CodecRow>,
  directory: string
): Effect.Effect<void, DatabaseError> => {
  const all = [...builtin, ...known]
  for (const { id, name } of rows) {
    const found = all.find((codec) => codec.id === id)
    if (found?.name === name) continue
    const instead = found === undefined ? "" : `, which is not "${found.name}"`
    const has = `the database in ${directory} has blocks of codec ${id}, "${name}"${instead}`
    const message = `${has}; provide ${layerOf(name)}`
    return Effect.fail(fail(new Unsupported({ message })))
  }
  return Effect.void
}

const layerOf = (name: string): string =>
  name === "lz4" ? "Lz4Compression" : name === "snappy" ? "SnappyCompression" : "it by CustomCompression"

export const codecsOf = (known: ReadonlyArray<KnownCodec>): Codecs => new Codecs([zstd, ...known])

/** The same encryption, whose sealers know the codecs. The built-in ones they know anyway. */
export const withKnownCodecs = (encryption: FileEncryption, known: ReadonlyArray<KnownCodec>): FileEncryption => {
  if (known.length === 0) return encryption
  const codecs = codecsOf(known)
  const add = (sealer: FileSealer): FileSealer => withCodecs(sealer, codecs)
  // What needs no time must not need some because of this: files are opened on the calling stack.
  const sealer: FileEncryption["sealer"] = (file) => {
    const made = encryption.sealer(file)
    if (!Exit.isExit(made)) return Effect.map(made, add)
    return Exit.map(made as Exit.Exit<FileSealer, DatabaseError>, add)
  }
  // All else is that of the encryption, whatever it has.
  return Object.assign(Object.create(encryption) as FileEncryption, { sealer })
}
