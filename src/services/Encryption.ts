/**
 * How the bytes of a database's files are sealed and checked, and the keys that this takes.
 *
 * `Encryption` is what a user provides: a factory, which two databases may share. Building `Manifest` attaches it to
 * the directory that was locked, and what comes of that, a `FileEncryption`, is the property `Manifest.encryption`,
 * where everybody else finds it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Random from "effect/Random"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { DatabaseError } from "./DatabaseError.ts"
import type { DiskService } from "./Disk.ts"
import type { KeyProviderService } from "./KeyProvider.ts"

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
 * Which seal a file has, by the length of its tags: 4 is a checksum, 20 an authentication tag of 16 bytes and the four
 * low bytes of its nonce's counter.
 *
 * @since 0.1.0
 * @category models
 */
export type TagBytes = 4 | 20

/**
 * Seals the pieces (frames, blocks) of one file. Made when the file is created or opened, and used for that file alone.
 *
 * Invariants:
 * 1. `open` returns exactly what `seal` was given, or throws `FormatError`; it never returns unauthenticated bytes.
 * 2. `seal` never uses a nonce twice, also when the write of what it sealed failed.
 * 3. `body` has the length of `plain`; the tag is `tagBytes` long.
 * 4. One that was made with access "open" seals nothing: `seal` throws.
 *
 * `associated` is authenticated beside the bytes: where they stand and what they are. It is reused by its owner, so it
 * is not kept.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileSealer {
  readonly tagBytes: TagBytes
  /** The generation of the data key; 0 without encryption. */
  readonly keyGeneration: number
  readonly seal: (associated: Uint8Array, plain: Uint8Array) => { readonly body: Uint8Array; readonly tag: Uint8Array }
  readonly open: (associated: Uint8Array, body: Uint8Array, tag: Uint8Array) => Uint8Array
  /** `seal` of the chunks' concatenation, for a sealer that need not copy them. */
  readonly sealChunks?: (
    associated: Uint8Array,
    chunks: ReadonlyArray<Uint8Array>
  ) => { readonly body: ReadonlyArray<Uint8Array>; readonly tag: Uint8Array }
  /**
   * Whether bytes[start, end), the associated data directly followed by the body, are what the tag behind them seals;
   * for a sealer whose bodies are plain.
   */
  readonly matchesInPlace?: (bytes: Uint8Array, start: number, end: number) => boolean
}

/**
 * A file to be sealed or opened. Access "seal" is asked for once in a file's life, by whoever creates it: it begins the
 * file's nonces.
 *
 * @since 0.1.0
 * @category models
 */
export interface SealedFile {
  readonly kind: FileKind
  /** 32 bytes. */
  readonly fileId: Uint8Array
  /** 16 bytes. */
  readonly databaseId: Uint8Array
  readonly keyGeneration: number
  readonly access: "seal" | "open"
}

/**
 * The directory that a database is in, or is to be made in: locked, unless it is only read, and nothing in it was
 * touched yet.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  readonly disk: DiskService
  readonly directory: string
  readonly readOnly: boolean
  /** The numbers of the keyring files in it (`keyring-<16 hex>.ring`), the highest first. */
  readonly keyrings: ReadonlyArray<number>
  /** How the newest readable marker is sealed; `undefined` without one: the database is to be created. */
  readonly sealedWith: TagBytes | undefined
}

/**
 * Gives a file number that nothing has.
 *
 * @since 0.1.0
 * @category models
 */
export type Allocate = () => number

/**
 * What a worker thread makes the same sealers of: it can be sent to one.
 *
 * @since 0.1.0
 * @category models
 */
export interface ThreadKeys {
  readonly cipher: "none" | "aes-256-gcm"
  /** `key` is a `KeyObject` of Node. */
  readonly generations: ReadonlyArray<{ readonly generation: number; readonly key: unknown }>
}

/**
 * What is known of one data key, beside its bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface DataKeyFacts {
  readonly generation: number
  readonly createdSequence: number
  /** Unix milliseconds. */
  readonly createdMillis: number
}

/**
 * What is known of the keys. Never a key.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyFacts {
  readonly cipher: string
  readonly masterKind: "raw" | "passphrase-scrypt" | "passphrase-argon2id" | "provider"
  readonly providerKeyId: string | undefined
  /** The number of the keyring file in force; 0 before there is one. */
  readonly ringNumber: number
  /** Ascending; the last is the one that new files are sealed with. */
  readonly generations: ReadonlyArray<DataKeyFacts>
}

/**
 * A master key: it wraps the data keys in the keyring, and seals nothing else.
 *
 * @since 0.1.0
 * @category models
 */
export type MasterKey =
  /** 32 bytes; any other length is `Invalid`. */
  | { readonly _tag: "Raw"; readonly key: Redacted.Redacted<Uint8Array> }
  /** By scrypt, unless asked otherwise; argon2id is `Unsupported` where the runtime does not have it. */
  | {
      readonly _tag: "Passphrase"
      readonly passphrase: Redacted.Redacted<string>
      readonly kdf?: "scrypt" | "argon2id" | undefined
    }
  | { readonly _tag: "Provider"; readonly provider: KeyProviderService }

/**
 * A master key that is ready to wrap data keys. Its maker alone knows what is in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface PreparedMaster {
  readonly kind: KeyFacts["masterKind"]
}

/**
 * Changes of the keys of one open database. Each is durable when it returns.
 *
 * One that fails poisons nothing and may be tried again; but what it was to write may be what the next open finds. Of a
 * master key whose rotation failed, keep both until one has succeeded.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyControl {
  readonly facts: () => KeyFacts
  /** What of a new master key takes long: a passphrase is stretched, a provider asked. Changes nothing. */
  readonly prepareMaster: (to: MasterKey) => Effect.Effect<PreparedMaster, DatabaseError>
  /** From then on the old master key opens nothing any more. */
  readonly rotateMaster: (to: PreparedMaster, allocate: Allocate) => Effect.Effect<void, DatabaseError>
  /** A new data key, from then on `keyGeneration()`. Returns its generation. */
  readonly addDataKey: (at: { readonly sequence: number }, allocate: Allocate) => Effect.Effect<number, DatabaseError>
  /** Forgets the generations below. Of the current one: a defect. */
  readonly forgetBelow: (generation: number, allocate: Allocate) => Effect.Effect<void, DatabaseError>
}

/**
 * The encryption of one open database.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileEncryption {
  /** The name that the manifest keeps: `none`, or the cipher's. */
  readonly name: string
  /** Of every file of the database. One with others is none of it. */
  readonly tagBytes: TagBytes
  /** The generation that new files are sealed with; 0 without encryption. A rotation of the data key changes it. */
  readonly keyGeneration: () => number
  /** Of the database, also of a new one; the marker must have the same. `undefined`: the manifest makes one. */
  readonly databaseId: Uint8Array | undefined
  /** 32 bytes, unique for ever. */
  readonly newFileId: (random: Effect.Success<typeof Random.Random>) => Uint8Array
  /** That of a generation that is not known, or no longer, opens nothing: `open` throws `FormatError`, tampered. */
  readonly sealer: (file: SealedFile) => Effect.Effect<FileSealer, DatabaseError>
  /** `undefined` if the sealers can only be made on this thread: jobs run here, too. */
  readonly threadKeys: (() => ThreadKeys) | undefined
  /**
   * Makes the keyring durable and removes those that it replaces. Called before anything is sealed that could be
   * published, and does nothing if the keyring is what it was.
   */
  readonly persist: (allocate: Allocate) => Effect.Effect<void, DatabaseError>
  /** Reads the keyring in force again, and checks that it is what it was. Returns its bytes; 0 if there is none. */
  readonly verify: Effect.Effect<number, DatabaseError>
  /** `undefined` without encryption. */
  readonly keys: KeyControl | undefined
}

/**
 * Seals the files of databases.
 *
 * Invariants every layer keeps, and `test/suites/encryptionSuite.ts` checks:
 * 1. `attach` touches nothing.
 * 2. A place whose marker is sealed in another way fails: `EncryptionKeyRequired` where there is a key to give,
 *    `NotEncrypted` where there is one too many. A key that is not the place's fails `EncryptionKeyMismatch`, and files
 *    that somebody has changed fail `Tampered`.
 * 3. What a sealer sealed opens with every sealer of the same file, also after another `attach`: exactly as it was. Its
 *    body has the length of the plain bytes, and its tag `tagBytes`.
 * 4. Nothing that was changed opens: `open` throws `FormatError`, and shows no bytes.
 * 5. Nothing is sealed twice with the same key and nonce: not by a sealer, whatever became of what it sealed, and not
 *    by two attachments, also of copies of one directory.
 * 6. A sealer with access "open" seals nothing.
 * 7. File ids are 32 bytes, and none comes twice.
 * 8. After `persist` another `attach` opens what was sealed, also after a power cut; a second `persist` does nothing.
 * 9. Every `attach` to a database says the same database id.
 * 10. The keys for threads make sealers that open what these seal.
 *
 * @since 0.1.0
 * @category services
 */
export class Encryption extends Context.Service<
  Encryption,
  {
    /** `none`, or the cipher's name. */
    readonly name: string
    /** Reads and checks the keyring of the place. */
    readonly attach: (place: Place) => Effect.Effect<FileEncryption, DatabaseError, Scope.Scope>
  }
>()("strata/Encryption") {}

/**
 * The shape of `Encryption`.
 *
 * @since 0.1.0
 * @category models
 */
export type EncryptionService = Encryption["Service"]
