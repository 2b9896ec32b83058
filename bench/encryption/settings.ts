// What one process of `bench/encryption.ts` is told, and what it tells back.

export interface Settings {
  readonly directory: string
  readonly sealed: boolean
  readonly quick: boolean
  readonly rows: ReadonlyArray<string>
}

/** By row. */
export type Figures = Record<string, number>
