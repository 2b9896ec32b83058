// Where a database would be created: the key is asked for only if that may be.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import { fail, Io } from "../../src/services/DatabaseError.ts"
import type { MasterKey } from "../../src/services/Encryption.ts"
import { directory, open, type OpenOptions, smallOptions } from "../support/opened.ts"
import { reasonOf, simulate } from "../support/scenario.ts"
import { SimKeys } from "../support/simKeys.ts"

const refused = (files: Record<string, Uint8Array>, options: OpenOptions = {}) => {
  const asked: Array<string> = []
  const ask = (what: string) =>
    Effect.suspend(() => {
      asked.push(what)
      return fail(new Io({ message: "the provider is away", operation: what, file: "", code: "EIO" }))
    })
  const provider = { keyId: "k", wrap: () => ask("wrap"), unwrap: () => ask("unwrap") }
  const master: MasterKey = { _tag: "Provider", provider }
  const image = new Map(Object.entries(files).map(([name, bytes]) => [`${directory}/${name}`, bytes]))
  const encryption = new SimKeys(1).layer(master)
  const opened = open(SimDisk.make({ image }).layer, { ...smallOptions, encryption, ...options })
  const reason = simulate(reasonOf(Effect.scoped(Effect.asVoid(opened))))
  return { asked, tag: reason._tag, message: reason.message }
}

const bytes = new Uint8Array(7)

describe("a provider that is away", () => {
  it("hides nothing where no database may be created, and is not asked", () => {
    for (const options of [{ readOnly: true }, { create: false }]) {
      const { asked, message, tag } = refused({ "keyring-0000000000000001.ring": bytes }, options)
      assert.deepStrictEqual([asked, tag], [[], "Invalid"])
      assert.match(message, /its creation was not finished/)
    }
    const foreign = refused({ "diary.txt": bytes })
    assert.deepStrictEqual([foreign.asked, foreign.tag], [[], "Invalid"])
    assert.match(foreign.message, /holds other files/)
  })

  it("hides nothing where the marker is lost or torn, and is not asked", () => {
    const table = { "table-0000000000000003.sst": bytes }
    const lost = refused(table)
    assert.deepStrictEqual([lost.asked, lost.tag], [[], "Corruption"])
    assert.match(lost.message, /says which are live: there is none\./)
    const torn = refused({ ...table, "current-0000000000000002.mark": bytes })
    assert.deepStrictEqual([torn.asked, torn.tag], [[], "Corruption"])
    assert.match(torn.message, /says which are live: .*current-0000000000000002\.mark/)
  })

  it("fails a creation", () => {
    const { asked, message, tag } = refused({})
    assert.deepStrictEqual([asked, tag], [["wrap"], "Io"])
    assert.match(message, /the provider is away/)
  })
})
