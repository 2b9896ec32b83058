// A process of its own for each thing that is measured: it is told one value, and answers with one.
import { spawn } from "node:child_process"

/** Runs the script with the value as its argument; what it writes to its fourth descriptor is the answer. */
export const answerOf = <A>(script: string, told: unknown, flags: ReadonlyArray<string> = []): Promise<A> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...flags, script, JSON.stringify(told)], {
      stdio: ["ignore", "inherit", "inherit", "pipe"]
    })
    let out = ""
    child.stdio[3]!.on("data", (chunk) => (out += chunk))
    child.on("error", reject)
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(out) as A)
      else reject(new Error(`${script} ended with ${code}`))
    })
  })
