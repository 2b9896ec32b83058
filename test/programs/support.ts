// The command line as its users start it: a process of its own, on a directory of its own.
import { Effect } from "effect"
import * as child from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll } from "vitest"

/** What `strata` starts. */
export const entry = fileURLToPath(new URL("../../src/programs/strata.ts", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly out: Buffer
  /** Standard output as text. */
  readonly text: string
  readonly error: string
}

export interface Given {
  readonly input?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
}

const run = (command: string, parameters: ReadonlyArray<string>, { env = {}, input = "" }: Given): Ended => {
  const { error, status, stderr, stdout } = child.spawnSync(command, parameters, {
    input,
    env: { ...process.env, STRATA_DB: undefined, NO_COLOR: "1", ...env },
    maxBuffer: 64 * 1024 * 1024,
    timeout: 30_000
  })
  if (error !== undefined) throw error
  return { code: status, out: stdout, text: stdout.toString(), error: stderr.toString() }
}

/** `strata` with these arguments. */
export const strata = (parameters: ReadonlyArray<string>, given: Given = {}): Ended =>
  run(process.execPath, [entry, ...parameters], given)

/** The same while this process, which holds the database, goes on answering. */
export const beside = (parameters: ReadonlyArray<string>): Effect.Effect<Omit<Ended, "out">> =>
  Effect.callback((resume) => {
    child.execFile(process.execPath, [entry, ...parameters], { timeout: 30_000 }, (error, text, stderr) => {
      resume(Effect.succeed({ code: error === null ? 0 : Number(error.code), text, error: stderr }))
    })
  })

/** A line of shell, in which `$strata` starts the command line. */
export const shell = (line: string, given: Given = {}): Ended =>
  run("bash", ["-c", line], { ...given, env: { strata: `${process.execPath} ${entry}`, ...given.env } })

const reporter = new URL("../support/peakMemory.ts", import.meta.url).href

/** The same, and the most memory that the last `$strata` to end ever had. */
export const measured = (
  line: string,
  env: Readonly<Record<string, string>>
): Ended & { readonly peakBytes: number } => {
  const peak = path.join(temporaryDirectory(), "peak")
  const strata = `${process.execPath} --import ${reporter} ${entry}`
  const ended = shell(line, { env: { strata, STRATA_TEST_PEAK: peak, ...env } })
  return { ...ended, peakBytes: Number(fs.readFileSync(peak, "utf8")) }
}

const directories: Array<string> = []

afterAll(() => {
  for (const directory of directories.splice(0)) fs.rmSync(directory, { recursive: true, force: true })
})

/** A directory that is removed after the file's tests. */
export const temporaryDirectory = (): string => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "strata-cli-"))
  directories.push(directory)
  return directory
}

/** The command line on one database. */
export const on =
  (directory: string) =>
  (parameters: ReadonlyArray<string>, given: Given = {}): Ended =>
    strata([...parameters, "--db", directory], given)

/** Each line parsed. */
export const ndjson = (text: string): ReadonlyArray<unknown> =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown)
