// The tests as `npm run coverage` runs them: the sources as Node loads them, so that V8's places are the sources' own,
// each file of tests in a process, which writes what it has reached when its tests have ended.
import { fileURLToPath } from "node:url"
import { defineConfig, mergeConfig } from "vitest/config"
import everyday from "../../vitest.config.ts"

export default mergeConfig(
  everyday,
  defineConfig({
    test: {
      root: fileURLToPath(new URL("../..", import.meta.url)),
      pool: "forks",
      // One process for many files: to load all of it anew for each takes most of the time.
      isolate: false,
      experimental: { viteModuleRunner: false },
      setupFiles: ["./scripts/reached/writeReached.ts"],
      // Whether something is fast enough is not asked while everything is counted.
      testTimeout: 300_000
    }
  })
)
