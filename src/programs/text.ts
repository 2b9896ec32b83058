// Bytes as people and programs read them.
//
//   printed := the UTF-8 text, in which \ is \\, tab \t, line feed \n, carriage return \r, and any other control
//              character \xNN a byte; of bytes that are not UTF-8, every one above 7e is \xNN
//   hex     := two lower-case digits a byte; read in either case
//   json    := { key, keyEncoding, value, valueEncoding, … }, an encoding being utf8, hex, or base64 for what is not
//              UTF-8
//
// A printed line therefore holds one entry, whatever its bytes, and can be turned back into them.
import * as Base64 from "effect/encoding/Base64"
import * as Hex from "effect/encoding/Hex"
import * as Result from "effect/Result"
import { concatBytes } from "../internal/format/bytes.ts"
import type { Entry } from "../services/Database.ts"

/** How keys and values are written, on the command line and in the output. */
export type Notation = "text" | "hex"

const encoder = new TextEncoder()
// A byte order mark is a part of the value.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The text, or undefined if the bytes are not UTF-8. */
export const utf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

const short: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" }

const escapeByte = (byte: number): string => `\\x${byte.toString(16).padStart(2, "0")}`

// oxlint-disable-next-line no-control-regex
const unprintable = /[\\\u0000-\u001f\u007f-\u009f]/g

const escapeCharacter = (character: string): string =>
  short[character] ?? Array.from(encoder.encode(character), escapeByte).join("")

/** Of bytes that are not UTF-8, or of a part of them. */
export const escapeBinary = (bytes: Uint8Array): string => {
  let out = ""
  for (const byte of bytes) {
    const character = String.fromCharCode(byte)
    out += short[character] ?? (byte < 0x20 || byte > 0x7e ? escapeByte(byte) : character)
  }
  return out
}

/** Of bytes that are UTF-8, or of a part of them. */
export const escapeText = (text: string): string => text.replace(unprintable, escapeCharacter)

/** One line's worth of text for any bytes. */
export const printed = (bytes: Uint8Array, notation: Notation): string => {
  if (notation === "hex") return Hex.encode(bytes)
  const text = utf8(bytes)
  return text === undefined ? escapeBinary(bytes) : escapeText(text)
}

/** What the user wrote as bytes, or undefined if it is not in that notation. */
export const parsed = (text: string, notation: Notation): Uint8Array | undefined => {
  if (notation === "text") return encoder.encode(text)
  return Result.getOrElse(Hex.decode(text.toLowerCase()), () => undefined)
}

/** Reads hexadecimal that comes in pieces, as `parsed` does of a text that is trimmed. What it is not is undefined. */
export class HexReader {
  // Its own: it holds a character of which not all bytes have come.
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  #begun = false
  /** A digit without its second, and a blank for the white space behind it, which may be at the end only. */
  #held = ""

  push(piece: Uint8Array): Uint8Array | undefined {
    return this.#take(() => this.#decoder.decode(piece, { stream: true }))
  }

  end(): Uint8Array | undefined {
    const last = this.#take(() => this.#decoder.decode())
    return this.#held.trim() === "" ? last : undefined
  }

  #take(decode: () => string): Uint8Array | undefined {
    let text: string
    try {
      text = this.#held + decode()
    } catch {
      return undefined
    }
    if (!this.#begun) text = text.trimStart()
    const digits = text.trimEnd()
    this.#begun ||= digits !== ""
    const pairsEnd = digits.length - (digits.length % 2)
    this.#held = `${digits.slice(pairsEnd)}${digits.length < text.length ? " " : ""}`
    return parsed(digits.slice(0, pairsEnd), "hex")
  }
}

/** Writes bytes that come in pieces as one base64 text. */
export class Base64Writer {
  /** What does not make three bytes yet. */
  #held: Uint8Array = new Uint8Array(0)

  push(piece: Uint8Array): string {
    const bytes = concatBytes([this.#held, piece])
    const whole = bytes.length - (bytes.length % 3)
    this.#held = bytes.slice(whole)
    return Base64.encode(bytes.subarray(0, whole))
  }

  end(): string {
    return Base64.encode(this.#held)
  }
}

const jsonText = (bytes: Uint8Array, notation: Notation): readonly [text: string, encoding: string] => {
  if (notation === "hex") return [Hex.encode(bytes), "hex"]
  const text = utf8(bytes)
  return text === undefined ? [Base64.encode(bytes), "base64"] : [text, "utf8"]
}

export const keyJson = (bytes: Uint8Array, notation: Notation): Readonly<Record<string, unknown>> => {
  const [key, keyEncoding] = jsonText(bytes, notation)
  return { key, keyEncoding }
}

/** What there is beside key and value. */
export const restJson = (entry: Omit<Entry, "key" | "value">): Readonly<Record<string, unknown>> => ({
  sequence: entry.sequence,
  expiresAt: entry.expiresAt ?? null,
  userMeta: entry.userMeta
})

export const entryJson = (entry: Entry, notation: Notation): Readonly<Record<string, unknown>> => {
  const [value, valueEncoding] = jsonText(entry.value, notation)
  return {
    ...keyJson(entry.key, notation),
    value,
    valueEncoding,
    ...restJson(entry)
  }
}
