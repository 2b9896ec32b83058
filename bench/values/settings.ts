// What one run of `bench/values.ts` is told, and what its process tells back.

export interface Settings {
  readonly directory: string
  readonly keys: number
  readonly valueBytes: number
  /** How often as many sets as there are keys are made, each of a key drawn at random. */
  readonly passes: number
  /** Seconds to wait for files to go, at most. */
  readonly patienceSeconds: number
}

/** Bytes so far. */
export interface Written {
  /** Of keys and values. */
  readonly user: number
  /** Given to the disk, as Strata counts. */
  readonly appended: number
  /** The same, as Linux counts; `undefined` where it does not tell. */
  readonly linux: number | undefined
}

export interface Phase {
  readonly name: string
  readonly seconds: number
  /** During the phase. */
  readonly written: Written
  /** In the directory when it ended. */
  readonly diskBytes: number
  readonly valueFileBytes: number
  readonly valueFiles: number
}

export interface ValuesResult {
  /** Filling, resting, overwriting, resting. */
  readonly phases: ReadonlyArray<Phase>
  readonly liveBytes: number
  /** From the last removal until there was no value file; `undefined` if it took longer than the patience. */
  readonly emptySeconds: number | undefined
  readonly emptyBytes: number
  readonly state: string
  readonly peakMiB: number
}
