// Finding and reading the current manifest. The highest valid marker names it.
//
// A marker is written once, to a new name, so an invalid one was torn by a crash before `begin` or a rewrite returned:
// until then the marker before it was not removed. Therefore a torn marker is passed over if an older one is valid; if
// none is, the caller decides by what else is in the directory. A valid marker promises its manifest up to the length
// it names: anything wrong there is damage, and an older marker is no way out, for it would bring back an older state.
import * as Effect from "effect/Effect"
import { Corruption, type DatabaseError, fail, Unsupported } from "../../services/DatabaseError.ts"
import { decodeFileHeader, type FileHeader, FileKind } from "../format/fileHeader.ts"
import { manifestFileName } from "../format/fileName.ts"
import { FormatError } from "../format/formatError.ts"
import { scanManifest } from "../format/manifestFrame.ts"
import type { ManifestEdit } from "../format/manifestEdit.ts"
import { decodeMarker, type Marker } from "../format/marker.ts"
import { applyEdit, type ManifestFacts, noFacts, problemOf } from "../structure/manifestState.ts"
import { decoding, ofFormat } from "./diskErrors.ts"
import type { DirectoryState, OwnFile } from "./directoryState.ts"
import { type FileParts, readWhole, sameBytes, sealerOfHeader } from "./ownFiles.ts"

/** Longer than any marker: what is larger was not written by us, and is not read. */
const markerBytesMax = 1024

/** Features that a manifest may require. None so far. */
const featuresKnown: ReadonlySet<string> = new Set()

export interface LoadedManifest {
  readonly facts: ManifestFacts
  readonly databaseId: Uint8Array
  readonly incarnation: Uint8Array
  /** Of its file. */
  readonly bytes: number
}

export interface ManifestSearch {
  /** `undefined` if no marker is valid. */
  readonly loaded: LoadedManifest | undefined
  /** Why newer markers were passed over. */
  readonly torn: ReadonlyArray<string>
}

type ValidMarker = Marker & { readonly header: FileHeader }

export const searchManifest = Effect.fnUntraced(function* (parts: FileParts, state: DirectoryState) {
  const torn: Array<string> = []
  for (const file of state.markers) {
    const marker = yield* readMarker(parts, file)
    if (typeof marker !== "string") {
      const loaded = yield* loadManifest(parts, marker)
      return { loaded, torn } satisfies ManifestSearch
    }
    torn.push(marker)
  }
  return { loaded: undefined, torn } satisfies ManifestSearch
})

/** The marker, or why it counts as torn. */
const readMarker = Effect.fnUntraced(function* (parts: FileParts, { bytes: size, name, number }: OwnFile) {
  if (size > markerBytesMax) return `${name}: ${size} bytes are too many for a marker`
  const bytes = yield* readWhole(parts, name)
  const file = parts.disk.join(parts.directory, name)
  const header = yield* tornOr(file, () => decodeFileHeader(bytes, FileKind.marker))
  if (typeof header === "string") return header
  const sealer = yield* sealerOfHeader(parts, header)
  const marker = yield* tornOr(file, () => decodeMarker(bytes, () => sealer))
  if (typeof marker === "string") return marker
  return header.fileNumber === number ? marker : `${name}: it says it is number ${header.fileNumber}`
})

const tornOr = <A>(file: string, decode: () => A): Effect.Effect<A | string, DatabaseError> =>
  Effect.suspend((): Effect.Effect<A | string, DatabaseError> => {
    try {
      return Effect.succeed(decode())
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      return error.unsupported ? Effect.fail(ofFormat(error, file)) : Effect.succeed(`${file}: ${error.message}`)
    }
  })

const loadManifest = Effect.fnUntraced(function* (parts: FileParts, marker: ValidMarker) {
  const name = manifestFileName(marker.manifestNumber)
  const file = parts.disk.join(parts.directory, name)
  const bytes = yield* readWhole(parts, name)
  const header = yield* decoding(file, () => decodeFileHeader(bytes, FileKind.manifest))
  const sealer = yield* sealerOfHeader(parts, header)
  const facts = yield* decoding(file, () => {
    checkHeader(header, marker)
    const scan = scanManifest(bytes, () => sealer)
    if (scan.end < marker.manifestBytes) {
      throw new FormatError(`the manifest was published with ${marker.manifestBytes} bytes`, scan.end)
    }
    return fold(scan.edits, scan.end)
  })
  if (facts.epoch !== header.epoch) {
    const message = `${file}: epoch ${facts.epoch} in a file of epoch ${header.epoch}`
    return yield* fail(new Corruption({ message, file, offset: 0 }))
  }
  yield* checkUsable(parts, facts)
  const { databaseId, incarnation } = header
  return { facts, databaseId, incarnation, bytes: bytes.length } satisfies LoadedManifest
})

const checkHeader = (header: FileHeader, marker: ValidMarker): void => {
  const same =
    header.fileNumber === marker.manifestNumber &&
    header.epoch === marker.header.epoch &&
    sameBytes(header.fileId, marker.manifestFileId) &&
    sameBytes(header.databaseId, marker.header.databaseId) &&
    sameBytes(header.incarnation, marker.header.incarnation)
  if (!same) throw new FormatError("this is not the manifest that the marker names", 0)
}

const fold = (edits: ReadonlyArray<ManifestEdit>, end: number): ManifestFacts => {
  if (!edits.some((edit) => edit.snapshotEnd === true)) throw new FormatError("the manifest has no whole state", end)
  let facts = noFacts
  for (const [ordinal, edit] of edits.entries()) {
    const problem = problemOf(facts, edit)
    if (problem !== undefined) throw new FormatError(`edit ${ordinal}: ${problem}`, end)
    facts = applyEdit(facts, edit)
  }
  return facts
}

const checkUsable = (parts: FileParts, facts: ManifestFacts): Effect.Effect<void, DatabaseError> => {
  const unknown = facts.requiredFeatures.filter((feature) => !featuresKnown.has(feature))
  if (unknown.length > 0) return refuse(`${parts.directory} needs ${unknown.join(", ")}; use a newer version`)
  if (facts.encryptionName === parts.encryption.name) return Effect.void
  return refuse(
    `the database in ${parts.directory} was created with the encryption "${facts.encryptionName}", ` +
      `and is opened with "${parts.encryption.name}"`
  )
}

const refuse = (message: string) => Effect.fail(fail(new Unsupported({ message })))
