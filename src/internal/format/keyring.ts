// The keyring: the data keys of a database, each wrapped with a key that comes of the master key.
//
//   keyring := fileHeader (kind 6, tagBytes 4, keyGeneration 0)  length: u32  ring[length]  mac[32]  crc: u32
//   ring    := kdf: u8  parameters: sized  salt[32]  commitment[32]  count: varint  entry*
//   entry   := generation: u32  createdSequence: varint  createdMillis: f64  wrapped[32]  tag[16]
//
//   kdf 0 raw       no parameters; the master key is the key-encryption key
//       1 scrypt    costLog2: u8  blockSize: varint  parallelism: varint  salt[32]
//       2 argon2id  memoryKiB: varint  passes: varint  lanes: varint  salt[32]
//       3 provider  keyId: sized  wrappedKey: sized         a random key that the provider has wrapped
//
//   wrap key, mac key, commitment := HKDF-SHA256(key-encryption key, salt, "strata keyring wrap v0" | "… mac v0" |
//                                    "… commit v0"), 32 bytes each
//   entry   AES-256-GCM under the wrap key; nonce: kind: u32 = 6  ordinal: u64, from 1; associated data: the first 92
//           bytes of the file header, then generation, createdSequence and createdMillis as they stand
//   mac     HMAC-SHA256 under the mac key, over everything before it
//   crc     of everything before it
//
// The salt is new in every keyring file, so is the wrap key: a nonce never comes twice under one. Generations ascend;
// new files are sealed with the last one.
//
// A keyring is read in this order, and what fails says what it is:
//
//   1. length and crc        not whole: `FormatError`; a crash tore it, if an older one is whole (keyringFiles.ts)
//   2. what follows a right  tampered, or `unsupported`: no accident leaves a right crc and wrong contents
//      crc is no ring
//   3. commitment            the key is another one: `undefined`. GCM by itself would not tell, and with two keys that
//                            an attacker chose, one wrapped key could even open under both
//   4. mac                   tampered
//   5. each wrapped key      tampered
//
// The plan's `version` and `current` are left out: the file header has a format, and the last generation is current.
// The crc stands last, for the mac must be torn or whole as the rest is.
import { ByteReader, ByteWriter, readU32, writeU32, writeU64 } from "./bytes.ts"
import { crc32Range } from "./checksum.ts"
import {
  aesGcm,
  type Cipher,
  derivedBytes,
  derivedKey,
  equalSecrets,
  gcmTagBytes,
  type Key,
  keyBytes,
  keyOf,
  macOf,
  nonceBytes,
  withBytesOf
} from "./cipher.ts"
import {
  associatedFileBytes,
  decodeFileHeader,
  encodeFileHeader,
  type FileHeader,
  fileHeaderBytes,
  FileKind
} from "./fileHeader.ts"
import { assert, FormatError, tampered } from "./formatError.ts"
import { decodeDerivation, encodeDerivation, type KeyDerivation } from "./keyDerivation.ts"

/** How many data keys may be remembered at once. */
export const generationsMax = 4096
/** Larger files were not written by us, and are not read. */
export const keyringBytesMax = 2 ** 20

const saltBytes = 32
const macBytes = 32
const lengthBytes = 4
const crcBytes = 4
const bodyOffset = fileHeaderBytes + lengthBytes

/** What is known of a data key beside itself. */
export interface DataKeyFacts {
  readonly generation: number
  readonly createdSequence: number
  /** Unix milliseconds. */
  readonly createdMillis: number
}

/** A data key: those of files are derived from it. */
export interface DataKey extends DataKeyFacts {
  readonly key: Key
}

interface WrappedKey {
  readonly facts: DataKeyFacts
  readonly associated: Uint8Array
  readonly wrapped: Uint8Array
  readonly tag: Uint8Array
}

/** A keyring of which only the crc was checked. */
export interface WholeKeyring {
  readonly header: FileHeader
  readonly derivation: KeyDerivation
  readonly salt: Uint8Array
  readonly commitment: Uint8Array
  readonly entries: ReadonlyArray<WrappedKey>
  /** What the mac covers. */
  readonly covered: Uint8Array
  readonly mac: Uint8Array
}

const infoOf = (use: string): Uint8Array => new TextEncoder().encode(`strata keyring ${use} v0`)
const wrapInfo = infoOf("wrap")
const macInfo = infoOf("mac")
const commitInfo = infoOf("commit")

const commitmentOf = (kek: Key, salt: Uint8Array): Uint8Array =>
  derivedBytes(kek, { salt, info: commitInfo, length: 32 })

const nonceOf = (ordinal: number): Uint8Array => {
  const nonce = new Uint8Array(nonceBytes)
  writeU32(nonce, 0, FileKind.keyring)
  writeU64(nonce, 4, ordinal)
  return nonce
}

const writeFacts = (writer: ByteWriter, { createdMillis, createdSequence, generation }: DataKeyFacts): void => {
  writer.u32(generation)
  writer.varint(createdSequence)
  writer.f64(createdMillis)
}

const associatedOf = (fileHeader: Uint8Array, facts: DataKeyFacts): Uint8Array => {
  const writer = new ByteWriter(128)
  writer.range(fileHeader, 0, associatedFileBytes)
  writeFacts(writer, facts)
  return writer.finish()
}

/** The whole file. `salt` has 32 bytes that were never a keyring's salt before. */
export const encodeKeyring = (options: {
  readonly header: FileHeader
  readonly derivation: KeyDerivation
  /** The key-encryption key. */
  readonly kek: Key
  readonly salt: Uint8Array
  readonly keys: ReadonlyArray<DataKey>
  readonly cipher?: Cipher | undefined
}): Uint8Array => {
  const { derivation, header, kek, keys, salt } = options
  assert(header.kind === FileKind.keyring && header.tagBytes === 4, "a keyring has a keyring's header")
  assert(salt.length === saltBytes, "a keyring's salt has 32 bytes")
  assert(keys.length > 0 && keys.length <= generationsMax, "a keyring has between one and 4096 keys")
  const { encrypt } = options.cipher ?? aesGcm
  const wrapKey = derivedKey(kek, salt, wrapInfo)
  const file = new ByteWriter(1024)
  file.raw(encodeFileHeader(header))
  file.u32(0)
  encodeDerivation(file, derivation)
  file.raw(salt)
  file.raw(commitmentOf(kek, salt))
  file.varint(keys.length)
  let generation = 0
  for (const [index, facts] of keys.entries()) {
    assert(facts.generation > generation, "generations ascend")
    generation = facts.generation
    const associated = associatedOf(file.bytes, facts)
    const { body, tag } = withBytesOf(facts.key, (bytes) =>
      encrypt(wrapKey, { nonce: nonceOf(index + 1), associated, chunks: [bytes] })
    )
    writeFacts(file, facts)
    file.raw(body[0])
    file.raw(tag)
  }
  writeU32(file.bytes, fileHeaderBytes, file.offset - bodyOffset)
  file.raw(macOf(derivedKey(kek, salt, macInfo), file.bytes.subarray(0, file.offset)))
  file.u32(crc32Range(file.bytes, 0, file.offset))
  assert(file.offset <= keyringBytesMax, "a keyring is within its limit")
  return file.finish()
}

/** Checks the file without a key. */
export const readKeyring = (bytes: Uint8Array): WholeKeyring => {
  const header = decodeFileHeader(bytes, FileKind.keyring)
  if (bytes.length < bodyOffset) throw new FormatError("the keyring is cut off", bytes.length)
  const length = readU32(bytes, fileHeaderBytes)
  const end = bodyOffset + length
  if (bytes.length !== end + macBytes + crcBytes) {
    throw new FormatError(`a keyring of ${bytes.length} bytes that says it has ${end + macBytes + crcBytes}`, 0)
  }
  const crcOffset = end + macBytes
  if (crc32Range(bytes, 0, crcOffset) !== readU32(bytes, crcOffset)) {
    throw new FormatError("the keyring's checksum does not match", crcOffset)
  }
  if (header.tagBytes !== 4 || header.keyGeneration !== 0) throw tampered("this is no keyring's header", 11)
  const ring = parsing(() => readRing(bytes, end))
  return { header, ...ring, covered: bytes.subarray(0, end), mac: bytes.subarray(end, crcOffset) }
}

/** What has a right crc and is no ring was made so. */
const parsing = <A>(parse: () => A): A => {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof FormatError) || error.unsupported) throw error
    throw tampered(`the keyring's checksum is right, and its contents are not: ${error.message}`, error.offset)
  }
}

const readRing = (bytes: Uint8Array, end: number) => {
  const reader = new ByteReader(bytes, bodyOffset, end)
  const derivation = decodeDerivation(reader)
  const salt = reader.raw(saltBytes)
  const commitment = reader.raw(32)
  const count = reader.varint()
  if (count < 1 || count > generationsMax) throw new FormatError(`a keyring of ${count} keys`, reader.offset)
  const entries: Array<WrappedKey> = []
  for (let index = 0, before = 0; index < count; index++) {
    const entry = readEntry(bytes, reader)
    if (entry.facts.generation <= before) throw new FormatError("generations do not ascend", reader.offset)
    before = entry.facts.generation
    entries.push(entry)
  }
  reader.done()
  return { derivation, salt, commitment, entries }
}

const readEntry = (bytes: Uint8Array, reader: ByteReader): WrappedKey => {
  const facts = { generation: reader.u32(), createdSequence: reader.varint(), createdMillis: reader.f64() }
  const associated = associatedOf(bytes, facts)
  return { facts, associated, wrapped: reader.raw(keyBytes), tag: reader.raw(gcmTagBytes) }
}

/** The data keys, or `undefined` if the key-encryption key is another one's. Throws if it is not, and more is wrong. */
export const openKeyring = (
  ring: WholeKeyring,
  kek: Key,
  cipher: Cipher = aesGcm
): ReadonlyArray<DataKey> | undefined => {
  const { commitment, covered, entries, mac, salt } = ring
  if (!equalSecrets(commitment, commitmentOf(kek, salt))) return undefined
  if (!equalSecrets(mac, macOf(derivedKey(kek, salt, macInfo), covered))) {
    throw tampered("the keyring's authentication code does not match", covered.length)
  }
  const wrapKey = derivedKey(kek, salt, wrapInfo)
  return entries.map(({ associated, facts, tag, wrapped }, index) => {
    const { createdMillis, createdSequence, generation } = facts
    const bytes = cipher.decrypt(wrapKey, { nonce: nonceOf(index + 1), associated, body: wrapped, tag })
    if (bytes === undefined) throw tampered(`data key ${generation} does not unwrap`, covered.length)
    return { generation, createdSequence, createdMillis, key: keyOf(bytes) }
  })
}
