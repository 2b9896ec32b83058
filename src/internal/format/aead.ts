// How files are sealed with a key: AES-256-GCM, with a key of its own for every file.
//
//   file key := HKDF-SHA256(data key, salt: file id[32], info: "strata|v0|" ++ databaseId[16] ++ kind: u8)
//   nonce    := kind: u32  counter: u64        little-endian; the counter is 1 for the first piece of a file
//   tag      := gcmTag[16]  counter: u32       what stands behind a sealed piece, in a file of `tagBytes` 20
//
// Why a (key, nonce) never comes twice. A file is created by one writer, in one life of one process, with a file id
// that nothing else ever has; it is appended to, and never opened for writing again. Its sealer is made once, by that
// writer, and counts ATTEMPTS: what was sealed and then not written, or half, has had its nonce. So neither a crash,
// nor a restored backup, nor two copies of a directory that both go on, nor several workers (a file is one worker's)
// meet in a key with the same counter. A sealer for opening refuses to seal.
//
// What a tag binds. By the file's key: the version of the format, the database, the kind of file and the file itself.
// By the associated data, which the callers choose: the file header (the first piece of a file), or place, type and
// length of a block, or position and predecessor of a frame. By the nonce: which piece of the file it is; whoever
// changes the counter in a tag gets another nonce, and no match. So bytes flipped, moved inside a file or between files
// or databases, dropped or doubled do not open.
//
// Limits of a file: 2^32 - 1 pieces and 64 GiB, far below what GCM allows with counted nonces, and far above what the
// builders of files make; to reach them is a bug.
import { ByteWriter, concatBytes, readU32, writeU32, writeU64 } from "./bytes.ts"
import { aesGcm, type Cipher, derivedKey, gcmTagBytes, isKey, type Key, nonceBytes } from "./cipher.ts"
import type { FileKind } from "./fileHeader.ts"
import { assert, tampered } from "./formatError.ts"
import type { Sealed, Sealer } from "./sealer.ts"

/** What the manifest keeps, and messages say. */
export const aeadName = "aes-256-gcm"
export const aeadTagBytes = 20

const piecesMax = 2 ** 32 - 1
const sealedBytesMax = 2 ** 36

// A call of `update` costs 0.55 µs, as much as copying 4 KiB (Node 24).
const chunkBytesMin = 4096

const purpose = new TextEncoder().encode("strata|v0|")

/** What tells a file from every other. */
export interface FileIdentity {
  readonly kind: FileKind
  /** 32 bytes. */
  readonly fileId: Uint8Array
  /** 16 bytes. */
  readonly databaseId: Uint8Array
}

/** The key of one file. */
export const fileKeyOf = (dataKey: Key, { databaseId, fileId, kind }: FileIdentity): Key => {
  assert(fileId.length === 32 && databaseId.length === 16, "a file id has 32 bytes, a database id 16")
  const info = new ByteWriter(32)
  info.raw(purpose)
  info.raw(databaseId)
  info.u8(kind)
  return derivedKey(dataKey, fileId, info.finish())
}

/** Seals or opens the pieces of one file. */
export class AeadSealer implements Sealer {
  readonly tagBytes = aeadTagBytes
  readonly keyGeneration: number
  private readonly key: Key
  private readonly cipher: Cipher
  private readonly seals: boolean
  private readonly nonce = new Uint8Array(nonceBytes)
  private pieces = 0
  private bytes = 0

  constructor(options: {
    readonly dataKey: Key
    readonly keyGeneration: number
    readonly file: FileIdentity & { readonly access: "seal" | "open" }
    readonly cipher?: Cipher | undefined
  }) {
    const { cipher, dataKey, file, keyGeneration } = options
    this.keyGeneration = keyGeneration
    this.cipher = cipher ?? aesGcm
    this.seals = file.access === "seal"
    this.key = fileKeyOf(dataKey, file)
    writeU32(this.nonce, 0, file.kind)
  }

  // Properties, not methods: a sealer is spread into others that add to it.
  readonly seal = (associated: Uint8Array, plain: Uint8Array) => {
    const { body, tag } = this.encrypt(associated, [plain])
    return { body: body[0], tag }
  }

  readonly sealChunks = (associated: Uint8Array, chunks: ReadonlyArray<Uint8Array>): Sealed => {
    let length = 0
    for (const chunk of chunks) length += chunk.length
    const joins = chunks.length > 1 && length < chunks.length * chunkBytesMin
    return this.encrypt(associated, joins ? [concatBytes(chunks)] : chunks)
  }

  readonly open = (associated: Uint8Array, body: Uint8Array, tag: Uint8Array): Uint8Array => {
    if (tag.length !== aeadTagBytes) throw tampered("the authentication tag is cut off", 0)
    writeU64(this.nonce, 4, readU32(tag, gcmTagBytes))
    const { key, nonce } = this
    const plain = this.cipher.decrypt(key, { nonce, associated, body, tag: tag.subarray(0, gcmTagBytes) })
    if (plain === undefined) throw tampered("the authentication tag does not match", 0)
    return plain
  }

  private encrypt(associated: Uint8Array, chunks: ReadonlyArray<Uint8Array>): Sealed {
    assert(this.seals, "a sealer made for opening seals nothing")
    for (const chunk of chunks) this.bytes += chunk.length
    assert(this.pieces < piecesMax && this.bytes <= sealedBytesMax, "a file has at most 2^32 - 1 pieces and 64 GiB")
    // Before the call: an attempt that throws has had its nonce too.
    this.pieces += 1
    writeU64(this.nonce, 4, this.pieces)
    const { key, nonce } = this
    const sealed = this.cipher.encrypt(key, { nonce, associated, chunks })
    const tag = new Uint8Array(aeadTagBytes)
    tag.set(sealed.tag)
    writeU32(tag, gcmTagBytes, this.pieces)
    return { body: sealed.body, tag }
  }
}

/** For a file that says it is sealed with a data key that there is not. */
export const refusingSealer = (keyGeneration: number): Sealer => ({
  tagBytes: aeadTagBytes,
  keyGeneration,
  seal: () => {
    throw new Error("a sealer without a key seals nothing")
  },
  open: () => {
    throw tampered(`it says that it is sealed with data key ${keyGeneration}, which the keyring does not have`, 0)
  }
})

/** The sealer of a file, by the keys that an encryption gave to another thread. */
export const threadSealer = (
  generations: ReadonlyArray<{ readonly generation: number; readonly key: unknown }>,
  file: FileIdentity & { readonly access: "seal" | "open"; readonly keyGeneration: number }
): Sealer => {
  const { keyGeneration } = file
  const found = generations.find(({ generation }) => generation === keyGeneration)
  if (found === undefined) return refusingSealer(keyGeneration)
  assert(isKey(found.key), "a thread is given keys")
  return new AeadSealer({ dataKey: found.key, keyGeneration, file })
}
