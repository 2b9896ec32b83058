#!/usr/bin/env node
// The entry point of the command line; `cli.ts` says what it does. It is imported after Node's compile cache is
// switched on: with the cache a command starts in 0.32 s instead of 0.54 s, from sources.
import { readFileSync } from "node:fs"
import { enableCompileCache } from "node:module"
import { arch, cpus, platform, totalmem } from "node:os"

enableCompileCache()

const [Effect, NodeRuntime, NodeServices, LsmDatabase, AeadEncryption, InstalledCompression, Cli] = await Promise.all([
  import("effect/Effect"),
  import("@effect/platform-node/NodeRuntime"),
  import("@effect/platform-node/NodeServices"),
  import("../layers/LsmDatabase.ts"),
  import("../layers/AeadEncryption.ts"),
  import("../layers/InstalledCompression.ts"),
  import("./cli.ts")
])

// The same path from `src/programs` and from `dist/programs`.
const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly version: string
}

Cli.run({
  version,
  open: ({ codec, ...location }) =>
    LsmDatabase.layer({
      ...location,
      compression: codec === undefined ? InstalledCompression.layer : InstalledCompression.layerWith({ bottom: codec })
    }),
  encryption: (master) => AeadEncryption.layerWith({ master }),
  machine: () => ({
    node: process.versions.node,
    platform: `${platform()} ${arch()}`,
    processor: cpus()[0]?.model ?? "unknown processor",
    cores: cpus().length,
    memoryBytes: totalmem()
  }),
  peakBytes: () => process.resourceUsage().maxRSS * 1024
}).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
