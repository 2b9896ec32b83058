// What the command line is given of keys and values, and the key itself, stands in no file of an encrypted database and
// in nothing that it says, but where it was asked for.
import { assert, describe, it } from "@effect/vitest"
import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { type Ended, on, temporaryDirectory } from "./support.ts"

const key = randomBytes(32).toString("hex")
const canaries = Array.from({ length: 5 }, () => randomBytes(16).toString("hex"))
const [small, value, long, imported, removed] = canaries as [string, string, string, string, string]

const secrets = [...canaries, key].flatMap((secret) => [secret, Buffer.from(secret, "hex").toString("latin1")])

/** None of them, nor half of one. */
const isSilent = (text: string, where: string): void => {
  for (const secret of secrets) {
    const half = secret.length >> 1
    for (const part of [secret.slice(0, half), secret.slice(half)]) assert.isFalse(text.includes(part), where)
  }
}

describe("canaries on the command line", () => {
  it("are in no file, no error and no report", () => {
    const root = temporaryDirectory()
    const directory = path.join(root, "data")
    const db = on(directory)
    const file = (name: string, content: string): string => {
      fs.writeFileSync(path.join(root, name), content)
      return path.join(root, name)
    }
    const keyFile = file("key", key)
    const next = randomBytes(32).toString("hex")
    const nextFile = file("next", next)
    const withKey = (command: ReadonlyArray<string>, given: { readonly input?: string } = {}): Ended =>
      db([...command, "--key-file", keyFile], given)
    assert.strictEqual(withKey(["set", small, value]).code, 0)
    assert.strictEqual(withKey(["set", "long", "-"], { input: long.repeat(20_000) }).code, 0)
    assert.strictEqual(withKey(["import", file("rows.csv", `name,age\n${imported},3\n`), "--key", "name"]).code, 0)
    assert.strictEqual(withKey(["set", removed, "x"]).code, 0)
    assert.strictEqual(withKey(["remove", removed]).code, 0)
    assert.strictEqual(withKey(["get", small]).text, value)
    const reports = [
      withKey(["stats"]),
      withKey(["flush"]),
      withKey(["compact"]),
      withKey(["verify"]),
      withKey(["rotate", "--data", "--full"]),
      withKey(["rotate", "--master", "--new-key-file", nextFile]),
      withKey(["count"]),
      db(["get", small]),
      db(["get", small], { env: { STRATA_KEY: "not a key" } })
    ]
    for (const [index, { error, text }] of reports.entries()) isSilent(text + error, `report ${index}`)
    assert.strictEqual(db(["get", small], { env: { STRATA_KEY: next } }).text, value)
    for (const name of fs.readdirSync(directory)) {
      isSilent(fs.readFileSync(path.join(directory, name)).toString("latin1"), name)
    }
  })
})
