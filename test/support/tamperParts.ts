// Where the parts of files begin and end: what is cut off, moved and exchanged. Frames say their lengths themselves; of
// blocks the database is asked, by listening to what it opens.
import { Effect, Layer } from "effect"
import { readU32, readU64 } from "../../src/internal/format/bytes.ts"
import { fileHeaderBytes } from "../../src/internal/format/fileHeader.ts"
import { frameHeaderBytes } from "../../src/internal/format/logFrame.ts"
import { manifestFrameHeaderBytes } from "../../src/internal/format/manifestFrame.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { Encryption, type FileEncryption, type SealedFile } from "../../src/services/Encryption.ts"
import type { OpenOptions } from "./opened.ts"
import type { Image } from "./scenario.ts"
import { observe } from "./tamperJudge.ts"

export interface Part {
  readonly offset: number
  readonly end: number
}

export type FileKindName = "log" | "manifest" | "table" | "value" | "current" | "keyring"

export const kindOf = (path: string): FileKindName =>
  path.slice(path.lastIndexOf("/") + 1).split("-")[0] as FileKindName

const tagBytesOf = (bytes: Uint8Array): number => bytes[11]!

/** The frames of a log segment or a manifest. */
export const framesOf = (path: string, bytes: Uint8Array): ReadonlyArray<Part> => {
  const headerBytes = kindOf(path) === "log" ? frameHeaderBytes : manifestFrameHeaderBytes
  const frames: Array<Part> = []
  for (let offset = fileHeaderBytes; offset < bytes.length;) {
    const end = offset + headerBytes + readU32(bytes, offset + 4) + tagBytesOf(bytes)
    frames.push({ offset, end })
    offset = end
  }
  return frames
}

const blockAssociatedBytes = 18
const trailerBytes = 6

/** What `note` gets of every block that is opened. */
type Note = (fileId: string, block: Part) => void

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const listening = (files: FileEncryption, note: Note): FileEncryption => {
  const sealer = (file: SealedFile) =>
    Effect.map(files.sealer(file), ({ matchesInPlace: _, ...sealer }) => ({
      ...sealer,
      open: (associated: Uint8Array, body: Uint8Array, tag: Uint8Array) => {
        if (associated.length === blockAssociatedBytes) {
          const offset = readU64(associated, 4)
          note(hex(file.fileId), { offset, end: offset + body.length + trailerBytes + tag.length })
        }
        return sealer.open(associated, body, tag)
      }
    }))
  return { ...files, threadKeys: undefined, sealer }
}

const listeningTo = (
  given: Layer.Layer<Encryption, DatabaseError>,
  note: Note
): Layer.Layer<Encryption, DatabaseError> =>
  Layer.effect(
    Encryption,
    Effect.map(Encryption, ({ attach, name }) =>
      Encryption.of({ name, attach: (place) => Effect.map(attach(place), (files) => listening(files, note)) })
    )
  ).pipe(Layer.provide(given))

/** The stored blocks of each table and value file, in their order. */
export const blocksOf = (image: Image, options: OpenOptions): ReadonlyMap<string, ReadonlyArray<Part>> => {
  const found = new Map<string, Map<number, Part>>()
  const encryption = listeningTo(options.encryption ?? NoEncryption.layer, (fileId, block) => {
    const blocks = found.get(fileId) ?? new Map<number, Part>()
    found.set(fileId, blocks.set(block.offset, block))
  })
  observe(image, { ...options, encryption })
  const files = new Map<string, ReadonlyArray<Part>>()
  for (const [path, bytes] of image) {
    const blocks = found.get(hex(bytes.subarray(60, 92)))
    if (blocks !== undefined)
      files.set(
        path,
        [...blocks.values()].sort((a, b) => a.offset - b.offset)
      )
  }
  return files
}
