// On what it was measured: the machine, and the version of everything that counts.
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { arch, cpus, platform, release, totalmem } from "node:os"
import { join } from "node:path"

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly disk: string
  readonly versions: Readonly<Record<string, string>>
}

const bench = join(import.meta.dirname, "..")
const peers = ["lmdb", "classic-level", "@nxtedition/rocksdb", "better-sqlite3"]

const versionIn = (folder: string): string => {
  try {
    return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { readonly version: string }).version
  } catch {
    return "not installed"
  }
}

const commitOf = (): string => {
  const git = (...parameters: ReadonlyArray<string>) =>
    spawnSync("git", parameters, { cwd: bench, encoding: "utf8" }).stdout?.trim() ?? ""
  const commit = git("rev-parse", "--short", "HEAD")
  const isChanged = git("status", "--porcelain", "--", "../src", ".") !== ""
  return commit === "" ? "no commit" : `${commit}${isChanged ? ", changed" : ""}`
}

export const machine = (disk: string): Machine => ({
  processor: cpus()[0]!.model,
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  system: `${platform()} ${release()} ${arch()}`,
  disk,
  versions: {
    "effect-strata": `${versionIn(join(bench, ".."))} (${commitOf()})`,
    node: process.versions.node,
    v8: process.versions.v8,
    sqlite: process.versions["sqlite"] ?? "none",
    effect: versionIn(join(bench, "../node_modules/effect")),
    ...Object.fromEntries(peers.map((name) => [name, versionIn(join(bench, "node_modules", name))]))
  }
})
