// In every test file: workers run the program that `workerProgram.ts` has made.
import { inject } from "vitest"
import { jobProgram } from "../../src/layers/NodeJobProgram.ts"

jobProgram.url = () => new URL(inject("workerProgram"))
