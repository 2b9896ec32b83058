// When the data key is old enough for a new one: by what was committed with it, counted in sequences and in bytes,
// which no clock can hold up, and by its age.
//
// The age takes the clock and does not trust it. A key that was made in the future tells that the clock went back, and
// nothing of its age: it counts as old as it is ahead, so that a clock that was once far ahead cannot keep a key for
// ever. And the time that the database was open with it counts in any case.

/** What is known of the key that files are sealed with. */
export interface KeyAge {
  /** Commits since it was made. Gaps count. */
  readonly commits: number
  /** Bytes of commits since it was made, as far as that is known. */
  readonly bytes: number
  /** By the clock. Negative if it went back. */
  readonly millis: number
  /** With which the database was open without a break, by a clock that only goes forward. */
  readonly openMillis: number
}

/** `undefined` is no limit. */
export interface KeyLimits {
  readonly dataKeyBytesMax: number | undefined
  readonly dataKeyCommitsMax: number | undefined
  readonly dataKeyAgeMillisMax: number | undefined
}

export const isKeyDue = (age: KeyAge, limits: KeyLimits): boolean =>
  age.bytes >= (limits.dataKeyBytesMax ?? Infinity) ||
  age.commits >= (limits.dataKeyCommitsMax ?? Infinity) ||
  keyDueInMillis(age, limits) <= 0

/** Until it is due by its age, if the clock goes on as it should. */
export const keyDueInMillis = ({ millis, openMillis }: KeyAge, { dataKeyAgeMillisMax = Infinity }: KeyLimits): number =>
  dataKeyAgeMillisMax - Math.max(Math.abs(millis), openMillis)

/** What is read of a table. */
interface Written {
  readonly keyGeneration: number
  readonly sequenceMin: number
  readonly bytes: number
  readonly valueRefs: ReadonlyArray<{ readonly bytes: number }>
}

/**
 * Bytes that were first sealed with the key, as far as the tables tell: what compaction has merged with older entries
 * does not count, nor what was only sealed again.
 */
export const bytesSince = (
  key: { readonly generation: number; readonly createdSequence: number },
  tables: ReadonlyArray<Written>
): number => {
  let sum = 0
  for (const { bytes, keyGeneration, sequenceMin, valueRefs } of tables) {
    if (keyGeneration !== key.generation || sequenceMin <= key.createdSequence) continue
    sum += bytes
    for (const values of valueRefs) sum += values.bytes
  }
  return sum
}
