// Finding and reading the current manifest. The highest valid marker names it.
//
// A marker is written once, to a new name, so an invalid one was torn by a crash before `begin` or a rewrite returned:
// until then the marker before it was not removed. Therefore a torn marker is passed over if an older one is valid; if
// none is, the caller decides by what else is in the directory. A valid marker promises its manifest up to the length
// it names: anything wrong there is damage, and an older marker is no way out, for it would bring back an older state.
import * as Effect from "effect/Effect"
import { Corruption, type DatabaseError, fail, Tampered, Unsupported } from "../../services/DatabaseError.ts"
import { decodeFileHeader, type FileHeader, FileKind } from "../format/fileHeader.ts"
import { manifestFileName } from "../format/fileName.ts"
import { FormatError } from "../format/formatError.ts"
import { scanManifest } from "../format/manifestFrame.ts"
import type { ManifestEdit } from "../format/manifestEdit.ts"
import { decodeMarker, type Marker } from "../format/marker.ts"
import { checksumSealer } from "../format/sealer.ts"
import { applyEdit, type ManifestFacts, noFacts, problemOf } from "../structure/manifestState.ts"
import { decoding, ofFormat } from "./diskErrors.ts"
import type { DirectoryState, OwnFile } from "./directoryState.ts"
import { type DirectoryParts, type FileParts, readWhole, sameBytes, sealerOfHeader } from "./ownFiles.ts"

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
  /** Newer markers that were passed over. */
  readonly torn: ReadonlyArray<TornMarker>
}

/** A marker that is not valid, and why. */
export interface TornMarker {
  readonly file: string
  readonly reason: string
  /** It has the length of a marker, and its seal does not match. */
  readonly tampered: boolean
}

export const reasonsOf = (torn: ReadonlyArray<TornMarker>): string => torn.map(({ reason }) => reason).join("; ")

type ValidMarker = Marker & { readonly header: FileHeader }

export const searchManifest = Effect.fnUntraced(function* (parts: FileParts, state: DirectoryState) {
  const torn: Array<TornMarker> = []
  for (const file of state.markers) {
    const marker = yield* readMarker(parts, file)
    if (!isTorn(marker)) {
      const loaded = yield* loadManifest(parts, marker)
      return { loaded, torn } satisfies ManifestSearch
    }
    torn.push(marker)
  }
  return { loaded: undefined, torn } satisfies ManifestSearch
})

/** The marker, or why it counts as torn. */
const readMarker = Effect.fnUntraced(function* (parts: FileParts, { bytes: size, name, number }: OwnFile) {
  const file = parts.disk.join(parts.directory, name)
  if (size > markerBytesMax) return tornBy(file, tooLong(size))
  const bytes = yield* readWhole(parts, name)
  const header = yield* tornOr(file, () => decodeFileHeader(bytes, FileKind.marker))
  if (isTorn(header)) return header
  if (header.tagBytes !== parts.encryption.tagBytes) return yield* foreignMarker(file, header, bytes)
  const sealer = yield* sealerOfHeader(parts, header, file)
  const marker = yield* tornOr(file, () => decodeMarker(bytes, () => sealer))
  if (isTorn(marker)) return marker
  return header.fileNumber === number ? marker : tornBy(file, `it says it is number ${header.fileNumber}`)
})

/** One that is whole, and not sealed as the newest is, was put there. */
const foreignMarker = (
  file: string,
  { tagBytes }: FileHeader,
  bytes: Uint8Array
): Effect.Effect<TornMarker, DatabaseError> => {
  const reason = `a marker with tags of ${tagBytes} bytes`
  if (tagBytes !== 4) return Effect.succeed(tornBy(file, reason))
  return Effect.flatMap(
    tornOr(file, () => decodeMarker(bytes, () => checksumSealer)),
    (marker) =>
      isTorn(marker)
        ? Effect.succeed(marker)
        : Effect.fail(fail(new Tampered({ message: `${file}: ${reason}`, file, offset: 11 })))
  )
}

const tornBy = (file: string, reason: string): TornMarker => ({ file, reason: `${file}: ${reason}`, tampered: false })

const tooLong = (size: number): string => `${size} bytes are too many for a marker`

const isTorn = (found: object): found is TornMarker => "tampered" in found

const tornOr = <A extends object>(file: string, decode: () => A): Effect.Effect<A | TornMarker, DatabaseError> =>
  Effect.suspend((): Effect.Effect<A | TornMarker, DatabaseError> => {
    try {
      return Effect.succeed(decode())
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      if (error.unsupported) return Effect.fail(ofFormat(error, file))
      return Effect.succeed({ ...tornBy(file, error.message), tampered: error.tampered })
    }
  })

/**
 * How the newest marker is sealed that can be read so far: a whole one with checksums, or one that says that it is
 * encrypted, which takes the key to be sure of; and those that were passed over.
 */
export const sealedWith = Effect.fnUntraced(function* (parts: DirectoryParts, { markers }: DirectoryState) {
  const torn: Array<TornMarker> = []
  for (const marker of markers) {
    const header = yield* readHeader(parts, marker)
    if (!isTorn(header)) return { tagBytes: header.tagBytes, torn }
    torn.push(header)
  }
  return { tagBytes: undefined, torn }
})

/** The header of a marker that is whole as far as can be told without a key, or why it counts as torn. */
const readHeader = Effect.fnUntraced(function* (parts: DirectoryParts, { bytes: size, name }: OwnFile) {
  const file = parts.disk.join(parts.directory, name)
  if (size > markerBytesMax) return tornBy(file, tooLong(size))
  const bytes = yield* readWhole(parts, name)
  const header = yield* tornOr(file, () => decodeFileHeader(bytes, FileKind.marker))
  if (isTorn(header) || header.tagBytes !== 4) return header
  const marker = yield* tornOr(file, () => decodeMarker(bytes, () => checksumSealer))
  return isTorn(marker) ? marker : header
})

const loadManifest = Effect.fnUntraced(function* (parts: FileParts, marker: ValidMarker) {
  const name = manifestFileName(marker.manifestNumber)
  const file = parts.disk.join(parts.directory, name)
  const bytes = yield* readWhole(parts, name)
  const header = yield* decoding(file, () => decodeFileHeader(bytes, FileKind.manifest))
  const sealer = yield* sealerOfHeader(parts, header, file)
  const facts = yield* decoding(file, () => {
    checkHeader(header, marker)
    const scan = scanManifest(bytes, () => sealer)
    if (scan.end < marker.manifestBytes) {
      const message = `the manifest was published with ${marker.manifestBytes} bytes`
      throw new FormatError(message, scan.end, { tampered: scan.tail?.tampered ?? false })
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
