// No (key, nonce) comes twice, whatever becomes of a database, its copies and its threads: one ledger over everything
// in this file. The default run has a share; `STRATA_ENCRYPTIONS=1000000` is the figure to reach. At the end it is
// shown that the ledger finds what it looks for.
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { AeadSealer } from "../src/internal/format/aead.ts"
import { keyOf } from "../src/internal/format/cipher.ts"
import { FileKind } from "../src/internal/format/fileHeader.ts"
import { entropy as nodeEntropy } from "../src/layers/NodeEntropy.ts"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import { jobsMostly, mixed, withValues } from "./support/crashRun.ts"
import { strikeAll } from "./support/faultCases.ts"
import { canonical, sealedWorkload } from "./support/faultSession.ts"
import { valueWorkload } from "./support/faultValues.ts"
import { NonceLedger, sealedBy } from "./support/nonceLedger.ts"
import { crashes, goOn, halfway, repeating, rotations, sealedOptions, work } from "./support/nonceRuns.ts"
import { open } from "./support/opened.ts"
import { runPlan } from "./support/databasePlan.ts"
import { threadLives } from "./support/nonceThreads.ts"
import { tinyValues } from "./support/valueKit.ts"

const wanted = Number(process.env.STRATA_ENCRYPTIONS ?? 20_000)
const seed = Number(process.env.STRATA_SEED ?? 1)
const timeout = 7_200_000

const ledger = new NonceLedger()
const told: Array<string> = []

/** Counts what a part has sealed since `before`, and that nothing of it was there before. */
const ended = (name: string, before: number): void => {
  told.push(`${name} ${ledger.encryptions - before}`)
  if (wanted >= 100_000) console.log(told.at(-1))
  assert.deepStrictEqual(ledger.repeats, [], name)
}

const part = (name: string, body: () => void): void => {
  const before = ledger.encryptions
  body()
  ended(name, before)
}

describe("a (key, nonce) never comes twice", () => {
  afterAll(() =>
    console.log(
      `encryptions: ${ledger.encryptions}, keys: ${ledger.keys}, repeated: ${ledger.repeated} (${told.join(", ")})`
    )
  )

  for (const [name, kind] of [
    ["mixed", mixed],
    ["values", withValues(jobsMostly)]
  ] as const) {
    it(
      `over power cuts, recoveries that are cut again, and images that go on (${name})`,
      () => part(`crashes, ${name}`, () => void crashes(kind, { ledger, encryptions: wanted * 0.06, one: 10, seed })),
      timeout
    )
  }

  it(
    "when calls of the disk fail, and when appends take a part",
    () =>
      part("faults", () => {
        const appends = ({ operation }: { readonly operation: string }) => operation === "append"
        const selection = Math.max(1, Math.floor(4_000_000 / wanted))
        for (const [workload, only] of [
          [canonical, appends],
          [valueWorkload, appends],
          [valueWorkload, () => true]
        ] as const) {
          strikeAll(sealedWorkload(workload, { encryption: sealedBy({ cipher: ledger.cipher }) }), {
            seed,
            selection,
            only
          })
        }
      }),
    timeout
  )

  it(
    "when a directory is copied, closed or open, and all copies go on with the same random numbers",
    () =>
      part("copies", () => {
        const options = sealedOptions(ledger)
        const images = halfway(options)
        for (let copy = 0; copy < 4 + wanted / 20_000; copy++) {
          for (const image of images) goOn(image, work(1), options)
        }
      }),
    timeout
  )

  it(
    "when a machine is resumed again and again with the same state of its random numbers",
    () =>
      part("resumed", () => {
        const { entropy, resume } = repeating()
        const options = sealedOptions(ledger, entropy)
        const [image] = halfway(options)
        for (let life = 0; life < 4 + wanted / 20_000; life++) {
          resume()
          goOn(image!, work(1), options)
        }
      }),
    timeout
  )

  it(
    "over both rotations, cut at their calls, and checkpoints",
    () => {
      part("rotations", () => void rotations(ledger, Math.max(1, Math.floor(4_000_000 / wanted))))
    },
    timeout
  )

  it.effect(
    "over plans of everything a user can call",
    () =>
      Effect.gen(function* () {
        const before = ledger.encryptions
        for (let at = seed; ledger.encryptions < before + wanted * 0.06; at++) {
          const options = { arenaBytes: 4096, blockBytes: 64, valueBytesMax: 8192, cacheBytes: 0, ...tinyValues }
          const { layer } = MemoryDisk.make()
          const opened = open(layer, { ...options, encryption: sealedBy({ cipher: ledger.cipher }) })
          yield* runPlan({ seed: at, steps: 150, longest: "values", open: opened })
        }
        ended("plans", before)
      }),
    timeout
  )

  it.live(
    "in worker threads, some of which are killed",
    () =>
      Effect.gen(function* () {
        const before = ledger.encryptions
        const encryptions = Math.max(wanted * 0.4, wanted - before)
        const { inThreads, kills } = yield* threadLives(ledger, { encryptions, seed })
        ended(`${kills} killed threads and others, of which ${inThreads} were in threads,`, before)
      }),
    timeout
  )

  it(`in ${wanted} encryptions`, () => {
    assert.isAtLeast(ledger.encryptions, wanted)
    assert.strictEqual(ledger.repeated, 0)
  })
})

describe("the ledger", () => {
  it("finds the nonces of a machine whose clock and counters are resumed, too", () => {
    const own = new NonceLedger()
    const moment = nodeEntropy.moment()
    const { entropy, resume } = repeating(() => moment)
    const options = sealedOptions(own, entropy)
    const [image] = halfway(options)
    for (let life = 0; life < 2; life++) {
      resume()
      goOn(image!, work(1), options)
    }
    assert.isAbove(own.repeated, 50)
  })

  it("finds a file that two sealers were made for", () => {
    const own = new NonceLedger()
    const dataKey = keyOf(new Uint8Array(32).fill(3))
    const file = { kind: FileKind.table, fileId: new Uint8Array(32), databaseId: new Uint8Array(16) }
    const sealers = [1, 2].map(
      () => new AeadSealer({ dataKey, keyGeneration: 1, file: { ...file, access: "seal" }, cipher: own.cipher })
    )
    for (const sealer of sealers) sealer.seal(new Uint8Array(0), Uint8Array.of(1))
    assert.strictEqual(own.repeated, 1)
    sealers[1]!.seal(new Uint8Array(0), Uint8Array.of(1))
    assert.strictEqual(own.repeated, 1)
  })
})
