/**
 * How the bytes of a file are sealed and checked.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { DatabaseError } from "./DatabaseError.ts"

/**
 * The kinds of file that are sealed. Frozen numbers: they are in every file's header.
 *
 * @since 0.1.0
 * @category models
 */
export const FileKind = { log: 1, table: 2, valueFile: 3, manifest: 4, marker: 5, keyring: 6 } as const

/**
 * One of the kinds.
 *
 * @since 0.1.0
 * @category models
 */
export type FileKind = (typeof FileKind)[keyof typeof FileKind]

/**
 * Seals the pieces (frames, blocks) of one file. Made when the file is created or opened, and used for that file alone.
 *
 * Invariants:
 * 1. `open` returns exactly what `seal` was given, or throws `FormatError`; it never returns unauthenticated bytes.
 * 2. `seal` never uses a nonce twice, also when the write of what it sealed failed.
 * 3. `body` has the length of `plain`; the tag is `tagBytes` long.
 *
 * `associated` is authenticated beside the bytes: where they stand and what they are.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileSealer {
  /** 4 for a checksum, 16 for an authentication tag. */
  readonly tagBytes: 4 | 16
  /** The generation of the data key; 0 without encryption. */
  readonly keyGeneration: number
  readonly seal: (associated: Uint8Array, plain: Uint8Array) => { readonly body: Uint8Array; readonly tag: Uint8Array }
  readonly open: (associated: Uint8Array, body: Uint8Array, tag: Uint8Array) => Uint8Array
}

/**
 * Makes sealers for files.
 *
 * @since 0.1.0
 * @category services
 */
export class Encryption extends Context.Service<
  Encryption,
  {
    /** The name the manifest keeps: `none`, or the cipher's. A database opens only with the one it was created with. */
    readonly name: string
    /** The tag length of every file that this layer writes. */
    readonly tagBytes: 4 | 16
    /** The generation that new files are sealed with. */
    readonly keyGeneration: number
    /** A sealer for the file with this random id (32 bytes). */
    readonly sealer: (file: {
      readonly kind: FileKind
      readonly fileId: Uint8Array
      readonly keyGeneration: number
    }) => Effect.Effect<FileSealer, DatabaseError>
  }
>()("strata/Encryption") {}

/**
 * The shape of `Encryption`.
 *
 * @since 0.1.0
 * @category models
 */
export type EncryptionService = Encryption["Service"]
