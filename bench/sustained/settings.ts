// What one run of `bench/sustained.ts` is told, and what its processes tell back.

export interface Settings {
  readonly directory: string
  readonly keys: number
  readonly sets: number
  /** Threads that spin in the control, and that Strata has by default. */
  readonly workers: number
  readonly controlSeconds: number
  readonly idleSeconds: number
}

/** Milliseconds, but for the count. */
export interface Spread {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

export interface ControlResult {
  readonly delay: Spread
}

export interface Level {
  readonly level: number
  readonly tables: number
  readonly bytes: number
  readonly targetBytes: number | undefined
}

export interface LoadResult {
  readonly loadSeconds: number
  /** From the last set until nothing was left to do. */
  readonly restSeconds: number
  readonly delay: Spread
  /** Of Strata on the main thread, each from its entry to its return. */
  readonly tasks: Spread
  /** The longest of each tenth of a second. */
  readonly windows: Spread
  readonly longest: ReadonlyArray<{ readonly kind: string; readonly millis: number }>
  readonly getsLoaded: Spread
  readonly getsIdle: Spread
  readonly sets: Spread
  readonly rssMiB: ReadonlyArray<number>
  /** At its highest, of V8's young generation. */
  readonly youngMiB: number
  readonly budgetMiB: number
  readonly levels: ReadonlyArray<Level>
  readonly liveBytes: number
  readonly diskBytes: number
  readonly userBytes: number
  readonly appendedBytes: number
  /** As Linux counts it. */
  readonly writtenBytes: number | undefined
  readonly stalls: {
    readonly count: number
    readonly millis: number
    readonly slowed: number
    readonly slowedMillis: number
  }
  readonly state: string
  /** After everything was removed, and the database left alone. */
  readonly emptyBytes: number
}
