// What a process that does rounds and the one that started it say to each other.
export interface RoundOrder {
  readonly round: number
  readonly seed: number
  /** In which it should end. */
  readonly millis: number
}

export interface RoundReport {
  readonly round: number
  readonly millis: number
  readonly counts: ReadonlyArray<readonly [name: string, count: number]>
  readonly reached: ReadonlyArray<readonly [situation: string, count: number]>
  /** Of wholes that are shared out among rounds, what this one did, and how much each is. */
  readonly covered: ReadonlyArray<readonly [whole: string, items: ReadonlyArray<string>, of: number]>
  /** Of the images that were new to the process. */
  readonly images: ReadonlyArray<string>
  /** What went wrong, if something did. */
  readonly failure?: string | undefined
}
