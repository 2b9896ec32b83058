// What a database does whose files were tampered with: it is opened, every key is read alone, in pieces and by a scan,
// and all of it is verified. Whatever it gives has to be right, and whatever it refuses has to be refused in the right
// words; a defect is thrown.
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type { RecoveryReport } from "../../src/services/Database.ts"
import { DatabaseError, isDamage, type Reason } from "../../src/services/DatabaseError.ts"
import type { Damage } from "../../src/services/Maintenance.ts"
import { type Opened, type OpenOptions, visibleImage } from "./opened.ts"
import { type Image, numbered, simulate, stateOf, textOf, using } from "./scenario.ts"
import { type Contents, targetOptions } from "./tamperTarget.ts"
import { streamed } from "./valueKit.ts"

/** A value, or why it was not given. */
type Answer = { readonly value: string | undefined } | { readonly reason: Reason }

export interface Observed {
  readonly gets: ReadonlyMap<string, Answer>
  readonly scan: { readonly contents: Contents } | { readonly reason: Reason }
  readonly damage: ReadonlyArray<Damage>
  readonly recovery: RecoveryReport
}

export interface Refused {
  readonly refusal: Reason
}

const answer = (effect: Effect.Effect<Uint8Array | undefined, DatabaseError>): Effect.Effect<Answer> =>
  Effect.match(effect, {
    onFailure: ({ reason }): Answer => ({ reason }),
    onSuccess: (value): Answer => ({ value: textOf(value) })
  })

/** Keys that were removed, too. */
const keysEver = [...numbered(40), "direct", "direct2", "streamed", "before", "chained", "last"]
const isInPieces = (key: string): boolean => !key.startsWith("key") || key.startsWith("key01")

const everything = ({ database, maintenance }: Opened): Effect.Effect<Observed, DatabaseError> =>
  Effect.gen(function* () {
    const gets = new Map<string, Answer>()
    for (const key of keysEver) {
      gets.set(key, yield* answer(database.get(key)))
      if (isInPieces(key)) gets.set(`${key}/pieces`, yield* answer(streamed(database, key)))
    }
    const scan = yield* Effect.match(stateOf(database), {
      onFailure: ({ reason }) => ({ reason }),
      onSuccess: (contents) => ({ contents })
    })
    const { damage } = yield* maintenance.verify
    return { gets, scan, damage, recovery: database.recovery }
  })

/** Opens what there is for reading, or, with `readOnly` false, to go on with it. A refused opening changes nothing. */
export const observe = (image: Image, options: OpenOptions): Observed | Refused => {
  const readOnly = options.readOnly ?? true
  const device = readOnly ? MemoryDisk.fromImage(image) : SimDisk.make({ image })
  try {
    return simulate(using(device, everything, { ...targetOptions, ...options, readOnly }), { yieldProbability: 0 })
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    if ("files" in device) assert.deepStrictEqual(visibleImage(device), new Map(image), "a refused opening")
    return { refusal: error.reason }
  }
}

/**
 * How it was noticed: `refused` at the opening, by `reads` that failed, by `verify` alone, in the report of the `tail`
 * of the log that was dropped, or `unseen`.
 */
export type Verdict = "refused" | "reads" | "verify" | "tail" | "unseen"

export interface Judging {
  readonly where: string
  /** What it has to hold. */
  readonly contents: Contents
  /** The files of which one has to be named; none: any. */
  readonly files: ReadonlyArray<string>
  /** Reasons that may be given. */
  readonly reasons: ReadonlyArray<Reason["_tag"]>
}

/** Fails for a wrong answer and for wrong words. */
export const judge = (observed: Observed | Refused, judging: Judging): Verdict => {
  const { contents, files, where } = judging
  if ("refusal" in observed) {
    checkReason(observed.refusal, judging)
    return "refused"
  }
  const { damage, gets, recovery, scan } = observed
  let failed = "reason" in scan
  if ("reason" in scan) checkReason(scan.reason, judging, true)
  else assert.isTrue(sameContents(scan.contents, contents), `${where}: ${differing(scan.contents, contents)}`)
  for (const [name, given] of gets) {
    if ("reason" in given) {
      failed = true
      checkReason(given.reason, judging, true)
    } else if (given.value !== contents[name.replace("/pieces", "")]) assert.fail(`${where}: a wrong value of ${name}`)
  }
  for (const { file } of damage) if (files.length > 0) assert.include(files, file, where)
  if (failed) assert.isAbove(damage.length, 0, `${where}: verify finds what reads do`)
  if (failed) return "reads"
  if (damage.length > 0) return "verify"
  return recovery.tailDropped === undefined ? "unseen" : "tail"
}

const differing = (found: Contents, contents: Contents): string => {
  const keys = new Set([...Object.keys(found), ...Object.keys(contents)])
  return `wrong contents: ${[...keys].filter((key) => found[key] !== contents[key]).join(", ")}`
}

const sameContents = (a: Contents, b: Contents): boolean => {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}

const checkReason = (reason: Reason, { files, reasons, where }: Judging, isRead = false): void => {
  assert.include(reasons, reason._tag, `${where}: ${reason.message}`)
  if (isRead) assert.isTrue(isDamage(reason), `${where}: a read fails with ${reason._tag}: ${reason.message}`)
  if (files.length === 0) return
  const named = files.some((file) => reason.message.includes(file.slice(file.lastIndexOf("/") + 1)))
  assert.isTrue(named, `${where}: names another file: ${reason._tag}: ${reason.message}`)
  if (isDamage(reason)) assert.isAtLeast(reason.offset, 0, where)
}
