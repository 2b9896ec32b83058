// In every file of tests: a process that the pool ends does not write by itself what it has reached.
import { takeCoverage } from "node:v8"
import { afterAll } from "vitest"

afterAll(() => takeCoverage())
