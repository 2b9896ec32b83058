// The same plan, however the files are sealed and compressed: a random plan of everything a user can call agrees with
// the model in each, and ends with the same contents. Histories are mixed too: every opening has another codec, and
// what the ones before have written stays.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as CustomCompression from "../src/layers/CustomCompression.ts"
import * as Lz4Compression from "../src/layers/Lz4Compression.ts"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as NoCompression from "../src/layers/NoCompression.ts"
import * as SnappyCompression from "../src/layers/SnappyCompression.ts"
import * as ZstdCompression from "../src/layers/ZstdCompression.ts"
import type { Codec, CompressionLevels } from "../src/services/Compression.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { chain, runs } from "./support/codecs.ts"
import { runPlan } from "./support/databasePlan.ts"
import { sealedBy } from "./support/nonceLedger.ts"
import { open, type OpenOptions } from "./support/opened.ts"
import { Dice } from "./support/randomPlan.ts"
import { tinyValues } from "./support/valueKit.ts"

/** Plans for each way; the default run has a share. */
const plans = Number(process.env.STRATA_PLANS ?? 2)
const firstSeed = Number(process.env.STRATA_SEED ?? 1)
const steps = 150

const everywhere = (name: string): CompressionLevels => ({ upper: name, bottom: name, values: name })

/** All codecs known, whatever the levels. */
const allKnown = (levels: CompressionLevels): Layer.Layer<never, DatabaseError> =>
  CustomCompression.layerWith(chain, levels).pipe(
    Layer.provide(CustomCompression.layer(counted).pipe(Layer.provide(Lz4Compression.layer))),
    Layer.provide(SnappyCompression.layer)
  )

/** Counts what it does, to show that it is asked. */
const asked = { compressed: 0, decompressed: 0 }
const counted: Codec = {
  ...runs,
  compress: (plain) => {
    asked.compressed += 1
    return runs.compress(plain)
  },
  decompress: (body, plainLength) => {
    asked.decompressed += 1
    return runs.decompress(body, plainLength)
  }
}

const names = ["none", "zstd", "lz4", "snappy", runs.name, chain.name]

/** Options of the opening with this number. */
type Opening = (opening: number, dice: Dice) => Pick<OpenOptions, "encryption" | "compression">

const sealed = sealedBy()
const plain: Opening = () => ({ compression: NoCompression.layer })
const compressed =
  (compression: OpenOptions["compression"]): Opening =>
  () => ({ compression })
const anyOf = (opening: number, dice: Dice) => ({
  compression: allKnown({
    upper: names[opening % names.length]!,
    bottom: dice.pick(names),
    values: dice.pick(names)
  })
})

const ways: ReadonlyArray<readonly [string, Opening]> = [
  ["encrypted", () => ({ compression: NoCompression.layer, encryption: sealed })],
  ["as by default", () => ({})],
  ["with zstd", compressed(ZstdCompression.layerWith(everywhere("zstd")))],
  ["with lz4", compressed(Lz4Compression.layerWith(everywhere("lz4")))],
  ["with snappy", compressed(SnappyCompression.layerWith(everywhere("snappy")))],
  ["with a codec of the user's", compressed(CustomCompression.layerWith(counted, everywhere(runs.name)))],
  ["with a chain of codecs", compressed(CustomCompression.layerWith(chain, everywhere(chain.name)))],
  ["encrypted, with zstd", () => ({ compression: ZstdCompression.layerWith(everywhere("zstd")), encryption: sealed })],
  ["with another codec at every opening", anyOf],
  ["encrypted, with another codec at every opening", (...now) => ({ ...anyOf(...now), encryption: sealed })]
]

const shapes: ReadonlyArray<readonly [string, OptionsInput, number | "values"]> = [
  [
    "in memtables of 1 KiB and blocks of 64 bytes, nothing cached",
    {
      arenaBytes: 1024,
      arenaCount: 2,
      blockBytes: 64,
      indexBytesMax: 64,
      cacheBytes: 0,
      valueBytesMax: 8192,
      ...tinyValues
    },
    "values"
  ],
  [
    "in longer blocks, with a cache, and manifests that are rewritten",
    {
      arenaBytes: 4096,
      blockBytes: 2048,
      cacheBytes: 16 * 1024,
      filterBitsPerKey: 0,
      flushOnCloseBytesMin: 0,
      manifestBytesMax: 256,
      level0TablesMin: 1,
      baseLevelBytes: 4096,
      levelRatio: 2
    },
    700
  ]
]

const run = (
  { opening, seed }: { readonly seed: number; readonly opening: Opening },
  [, options, longest]: (typeof shapes)[number]
) => {
  const { layer } = MemoryDisk.make()
  const dice = new Dice(seed + 1000)
  let openings = 0
  const opened = Effect.suspend(() => open(layer, { ...options, ...opening(openings++, dice) }))
  return runPlan({ seed, steps, longest, open: opened }).pipe(
    Effect.catchCause((cause) => Effect.die(new Error(`seed ${seed}`, { cause })))
  )
}

describe("a random plan has equal answers", () => {
  for (const shape of shapes) {
    const contents = new Map<number, ReadonlyArray<string>>()
    for (const [name, opening] of [["plain", plain] as const, ...ways]) {
      it.effect(`${name}, ${shape[0]}`, () =>
        Effect.gen(function* () {
          for (let seed = firstSeed; seed < firstSeed + plans; seed++) {
            const found = yield* run({ seed, opening }, shape)
            if (!contents.has(seed)) contents.set(seed, found)
            assert.deepStrictEqual(found, contents.get(seed), `seed ${seed}`)
          }
        })
      )
    }
  }

  it("and the codecs were asked, for writing and for reading", () => {
    assert.isAbove(asked.compressed, 100 * plans)
    assert.isAbove(asked.decompressed, 100 * plans)
  })
})
