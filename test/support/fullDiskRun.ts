// Starts `fullDisk.ts` on a small file system in memory that only it can see, where the system lets an ordinary user
// mount one, and else on a budget of bytes.
import { execFile, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Given, Happened } from "./fullDisk.ts"

const run = promisify(execFile)
const millisMax = 120_000

/** Runs a command where `root` is a file system of so many bytes. */
const mounted = (root: string, bytes: number): ReadonlyArray<string> => [
  "unshare",
  "--map-root-user",
  "--mount",
  "sh",
  "-c",
  `mount -t tmpfs -o size=${bytes} tmpfs "$0" && exec "$@"`,
  root
]

let isMountable: boolean | undefined

export const canMount = (): boolean => {
  if (isMountable !== undefined) return isMountable
  const root = mkdtempSync(join(tmpdir(), "strata-mount-"))
  const [command, ...args] = mounted(root, 1024 * 1024)
  isMountable = spawnSync(command!, [...args, "true"]).status === 0
  rmSync(root, { recursive: true })
  return isMountable
}

export const fullDiskRun = async (program: string, options: Omit<Given, "root">): Promise<Happened> => {
  const root = mkdtempSync(join(tmpdir(), "strata-full-"))
  const given: Given = { ...options, root }
  const [command, ...args] = [...(given.isBudget ? [] : mounted(root, given.bytes)), process.execPath, program]
  try {
    const { stdout } = await run(command!, [...args, JSON.stringify(given)], { timeout: millisMax })
    return JSON.parse(stdout) as Happened
  } catch (cause) {
    throw new Error(`a full disk: ${JSON.stringify(options)}`, { cause })
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}
