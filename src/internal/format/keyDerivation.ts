// How a key-encryption key comes of the master key, as the keyring remembers it (keyring.ts has the bytes).
//
// The parameters are read before anything is authenticated, as they must be: so they have limits, above which the
// keyring is `unsupported` rather than believed. Lower ones than were written gain an attacker nothing: the key that
// comes of them is not the one that the keyring is committed to.
import { ByteReader, ByteWriter } from "./bytes.ts"
import { assert, FormatError, unsupported } from "./formatError.ts"

export type KeyDerivation =
  | { readonly _tag: "Raw" }
  | {
      readonly _tag: "Scrypt"
      /** Of the cost N. */
      readonly costLog2: number
      readonly blockSize: number
      readonly parallelism: number
      /** 32 bytes. */
      readonly salt: Uint8Array
    }
  | {
      readonly _tag: "Argon2id"
      readonly memoryKiB: number
      readonly passes: number
      readonly lanes: number
      /** 32 bytes. */
      readonly salt: Uint8Array
    }
  | {
      readonly _tag: "Provider"
      readonly keyId: string
      /** The random key-encryption key, as the provider wrapped it. */
      readonly wrappedKey: Uint8Array
    }

/** One that takes a passphrase. */
export type PassphraseDerivation = Extract<KeyDerivation, { readonly _tag: "Scrypt" | "Argon2id" }>

/** Part of the format. Never renumber, never reuse. */
const kdfs = { Raw: 0, Scrypt: 1, Argon2id: 2, Provider: 3 } as const

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })

const saltBytes = 32
export const providerKeyIdBytesMax = 4096
export const providerWrappedBytesMax = 65_536
const parametersBytesMax = 2 ** 17

/** What a keyring may ask of the machine that opens it. */
const derivationBytesMax = 2 ** 30
const passesMax = 64
const lanesMax = 64

/** Memory that the derivation takes. */
export const derivationBytes = (derivation: PassphraseDerivation): number =>
  derivation._tag === "Scrypt"
    ? 128 * derivation.blockSize * (2 ** derivation.costLog2 + derivation.parallelism)
    : 1024 * derivation.memoryKiB

export const encodeDerivation = (target: ByteWriter, derivation: KeyDerivation): void => {
  const writer = new ByteWriter(64)
  switch (derivation._tag) {
    case "Raw":
      break
    case "Scrypt":
      writer.u8(derivation.costLog2)
      writer.varint(derivation.blockSize)
      writer.varint(derivation.parallelism)
      writeSalt(writer, derivation.salt)
      break
    case "Argon2id":
      writer.varint(derivation.memoryKiB)
      writer.varint(derivation.passes)
      writer.varint(derivation.lanes)
      writeSalt(writer, derivation.salt)
      break
    case "Provider":
      writer.sized(new TextEncoder().encode(derivation.keyId))
      writer.sized(derivation.wrappedKey)
      break
  }
  target.u8(kdfs[derivation._tag])
  target.sized(writer.finish())
}

const writeSalt = (writer: ByteWriter, salt: Uint8Array): void => {
  assert(salt.length === saltBytes, "the salt of a passphrase has 32 bytes")
  writer.raw(salt)
}

export const decodeDerivation = (reader: ByteReader): KeyDerivation => {
  const at = reader.offset
  const kdf = reader.u8()
  const parameters = new ByteReader(reader.sized(parametersBytesMax))
  const derivation = readParameters(kdf, parameters)
  if (derivation === undefined) throw unsupported(`the keyring's master key is of the unknown kind ${kdf}`, at)
  parameters.done()
  if (derivation._tag === "Scrypt" || derivation._tag === "Argon2id") checkCost(derivation, at)
  return derivation
}

const readParameters = (kdf: number, reader: ByteReader): KeyDerivation | undefined => {
  switch (kdf) {
    case kdfs.Raw:
      return { _tag: "Raw" }
    case kdfs.Scrypt: {
      const [costLog2, blockSize, parallelism] = [reader.u8(), reader.varint(), reader.varint()]
      return { _tag: "Scrypt", costLog2, blockSize, parallelism, salt: reader.raw(saltBytes) }
    }
    case kdfs.Argon2id: {
      const [memoryKiB, passes, lanes] = [reader.varint(), reader.varint(), reader.varint()]
      return { _tag: "Argon2id", memoryKiB, passes, lanes, salt: reader.raw(saltBytes) }
    }
    case kdfs.Provider: {
      const keyId = utf8.decode(reader.sized(providerKeyIdBytesMax))
      return { _tag: "Provider", keyId, wrappedKey: reader.sized(providerWrappedBytesMax) }
    }
    default:
      return undefined
  }
}

const checkCost = (derivation: PassphraseDerivation, at: number): void => {
  const lanes = derivation._tag === "Scrypt" ? derivation.parallelism : derivation.lanes
  const passes = derivation._tag === "Scrypt" ? 1 : derivation.passes
  const least =
    derivation._tag === "Scrypt"
      ? derivation.costLog2 >= 1 && derivation.blockSize >= 1
      : derivation.memoryKiB >= 8 * derivation.lanes
  if (!least || lanes < 1 || passes < 1) throw new FormatError("parameters that no key can come of", at)
  if (derivationBytes(derivation) > derivationBytesMax || passes > passesMax || lanes > lanesMax) {
    throw unsupported(`the keyring's passphrase takes more than ${derivationBytesMax} bytes or ${passesMax} passes`, at)
  }
}
