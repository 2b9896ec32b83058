// The names of our files. Whatever has another name is not ours and is never touched.
//
//   log-<number>.wal  table-<number>.sst  value-<number>.val           number: 16 lower-case hex
//   manifest-<number>.man  current-<number>.mark  keyring-<number>.ring  ballast-<number>.bal
//   lock-<n>.sock                                                      n: decimal, no leading zero
//
// Numbers are below 2^53. The grammar is strict so that `._log-…`, `LOG-…`, `log-1.wal`, `log-….wal.bak` stay foreign.
import { assert } from "./formatError.ts"

export type FileNameKind = "log" | "table" | "value" | "manifest" | "marker" | "keyring" | "ballast" | "lock"

export interface ParsedFileName {
  readonly kind: FileNameKind
  readonly number: number
}

const hex = (number: number): string => {
  assert(Number.isSafeInteger(number) && number >= 0, "a file number is whole and between 0 and 2^53 - 1")
  return number.toString(16).padStart(16, "0")
}

export const logFileName = (number: number): string => `log-${hex(number)}.wal`
export const tableFileName = (number: number): string => `table-${hex(number)}.sst`
export const valueFileName = (number: number): string => `value-${hex(number)}.val`
export const manifestFileName = (number: number): string => `manifest-${hex(number)}.man`
export const markerFileName = (number: number): string => `current-${hex(number)}.mark`
export const ballastFileName = (number: number): string => `ballast-${hex(number)}.bal`
export const keyringFileName = (number: number): string => `keyring-${hex(number)}.ring`
export const lockFileName = (number: number): string => {
  assert(Number.isSafeInteger(number) && number >= 0, "a lock number is whole and between 0 and 2^53 - 1")
  return `lock-${number}.sock`
}

const kinds: Record<string, FileNameKind> = {
  "log.wal": "log",
  "table.sst": "table",
  "value.val": "value",
  "manifest.man": "manifest",
  "current.mark": "marker",
  "keyring.ring": "keyring",
  "ballast.bal": "ballast"
}

const numbered = /^(log|table|value|manifest|current|keyring|ballast)-([0-9a-f]{16})\.(wal|sst|val|man|mark|ring|bal)$/
const lock = /^lock-(0|[1-9][0-9]{0,15})\.sock$/

/** What the name says, or `undefined` for a file that is not ours. */
export const parseFileName = (name: string): ParsedFileName | undefined => {
  const locked = lock.exec(name)
  if (locked !== null) return safe("lock", Number(locked[1]))
  const parts = numbered.exec(name)
  if (parts === null) return undefined
  const kind = kinds[`${parts[1]}.${parts[3]}`]
  return kind === undefined ? undefined : safe(kind, Number.parseInt(parts[2], 16))
}

const safe = (kind: FileNameKind, number: number): ParsedFileName | undefined =>
  Number.isSafeInteger(number) ? { kind, number } : undefined
