// What the processes of `bench/compression.ts` are told, and what they answer.

/** Files as they are, most of which go to value files; or cut in pieces of a kilobyte, which all stay in tables. */
export type Shape = "files" | "pieces"
export type CodecName = "none" | "zstd" | "lz4" | "snappy"

export interface Variant {
  readonly shape: Shape
  /** Of the bottom level. */
  readonly codec: CodecName
  /** Whether values in value files are compressed by it, too. */
  readonly values: boolean
}

export interface Task extends Variant {
  readonly phase: "load" | "read"
  readonly directory: string
  /** The tree whose sources are stored. */
  readonly root: string
  /** Of one kilobyte, or files up to 256 KiB. */
  readonly gets: number
}

export interface Loaded {
  readonly plainBytes: number
  readonly diskBytes: number
  /** From the first write until all of it is at the bottom level. */
  readonly seconds: number
  /** Of all threads. */
  readonly cpuSeconds: number
}

/** Processor time: what is read is in memory, of the file system's, and the clock tells what else the machine does. */
export interface Read {
  readonly scanSeconds: number
  readonly getMicros: number
}

export interface Result extends Loaded, Read {}
