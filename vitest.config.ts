import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // A fifth faster here than forks; a test that needs a process of its own starts one.
    pool: "threads",
    maxWorkers: 2,
    globalSetup: "./test/support/workerProgram.ts",
    setupFiles: "./test/support/useWorkerProgram.ts",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default", "./test/support/closingLine.ts"]
  }
})
