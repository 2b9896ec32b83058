// The master key of an encrypted database, as the command line takes it: from a file, or from the environment. Never as
// an argument: those are in the list of processes and in the shell's history.
//
//   --key-file F          32 bytes, or 64 hexadecimal digits, as `openssl rand -hex 32` prints them
//   --passphrase-file F   the passphrase; a line's end behind it does not belong to it
//   STRATA_KEY            64 hexadecimal digits
//
// A key that is given in two ways is an error, and so is a new one: nobody could tell which was meant.
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { MasterKey } from "../services/Encryption.ts"
import { failed, onFile } from "./failure.ts"

export interface KeyInput {
  readonly keyFile: Option.Option<string>
  readonly passphraseFile: Option.Option<string>
}

const file = (name: string, description: string) =>
  Flag.Path(name).pipe(Flag.withMetavar("FILE"), Flag.withDescription(description), Flag.optional)

/** Of the database that is opened. */
export const keyFlags = {
  keyFile: file("key-file", "The key of an encrypted database: 32 bytes, or 64 hexadecimal digits, as STRATA_KEY has"),
  passphraseFile: file("passphrase-file", "The passphrase of an encrypted database")
}

/** Of the key that takes its place. */
export const newKeyFlags = {
  keyFile: file("new-key-file", "With --master: the new key, as in --key-file"),
  passphraseFile: file("new-passphrase-file", "With --master: the new passphrase")
}

const keyBytes = 32
/** A file that is longer is not one with a key. */
const fileBytesMax = 4096

const environmentKey = Config.option(Config.Redacted("STRATA_KEY"))

/** Whether a flag names a key. */
export const isGiven = ({ keyFile, passphraseFile }: KeyInput): boolean =>
  Option.isSome(keyFile) || Option.isSome(passphraseFile)

/** The new key that the flags name; `undefined` if they name none. */
export const newMasterKey = Effect.fnUntraced(function* (input: KeyInput) {
  if (Option.isSome(input.keyFile) && Option.isSome(input.passphraseFile)) {
    return yield* failed("the new key is given by --new-key-file and --new-passphrase-file; give it in one way")
  }
  return yield* keyOf(input)
})

/** The key that the flags name; `undefined` if they name none. */
const keyOf = Effect.fnUntraced(function* ({ keyFile, passphraseFile }: KeyInput) {
  if (Option.isSome(keyFile)) {
    return { _tag: "Raw", key: yield* keyIn(keyFile.value) } satisfies MasterKey
  }
  if (Option.isNone(passphraseFile)) return undefined
  return { _tag: "Passphrase", passphrase: yield* passphraseIn(passphraseFile.value) } satisfies MasterKey
})

/** The key to open with, by the flags or the environment; `undefined` if there is none. */
export const masterKey = Effect.fnUntraced(function* (input: KeyInput) {
  const { keyFile, passphraseFile } = input
  const environment = yield* environmentKey
  const ways = [
    ...(Option.isSome(keyFile) ? ["--key-file"] : []),
    ...(Option.isSome(passphraseFile) ? ["--passphrase-file"] : []),
    ...(Option.isSome(environment) ? ["STRATA_KEY"] : [])
  ]
  if (ways.length > 1) return yield* failed(`the key is given by ${ways.join(" and ")}; give it in one way`)
  if (Option.isNone(environment)) return yield* keyOf(input)
  const key = fromHex(Redacted.value(environment.value))
  if (key === undefined) return yield* failed("STRATA_KEY is not 64 hexadecimal digits")
  return { _tag: "Raw", key: Redacted.make(key, { label: "key" }) } satisfies MasterKey
})

/** No message has any of the file's contents. */
const keyIn = Effect.fnUntraced(function* (path: string) {
  const bytes = yield* contentOf(path)
  const key = bytes.length === keyBytes ? bytes : fromHex(new TextDecoder().decode(bytes))
  if (key === undefined) return yield* failed(`${path} holds neither 32 bytes nor 64 hexadecimal digits`)
  return Redacted.make(key, { label: "key" })
})

const passphraseIn = Effect.fnUntraced(function* (path: string) {
  const text = new TextDecoder().decode(yield* contentOf(path)).replace(/\r?\n$/, "")
  if (text === "") return yield* failed(`${path} is empty; it is to hold a passphrase`)
  return Redacted.make(text, { label: "passphrase" })
})

const contentOf = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const bytes = yield* onFile(path)(files.readFile(path))
  if (bytes.length > fileBytesMax) return yield* failed(`${path} has ${bytes.length} bytes, which is no key`)
  return bytes
})

const fromHex = (text: string): Uint8Array | undefined => {
  const digits = text.trim()
  if (!/^[0-9a-fA-F]{64}$/.test(digits)) return undefined
  return Uint8Array.from({ length: keyBytes }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16)
  )
}
