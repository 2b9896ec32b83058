// Keys for simulations: entropy that repeats itself with the seed, and never within one.
import { createHash } from "node:crypto"
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import type { Entropy } from "../../src/internal/engine/entropy.ts"
import { decodeFileHeader, fileHeaderBytes, FileKind } from "../../src/internal/format/fileHeader.ts"
import { parseFileName } from "../../src/internal/format/fileName.ts"
import * as AeadEncryption from "../../src/layers/AeadEncryption.ts"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import type * as SimDisk from "../../src/layers/SimDisk.ts"
import { Database } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Encryption, MasterKey } from "../../src/services/Encryption.ts"
import { type EncryptionStats, Maintenance, type MaintenanceService } from "../../src/services/Maintenance.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { directory, type Opened } from "./opened.ts"

export const entropyOf = (seed: number): Entropy => {
  let count = 0
  const block = () => createHash("sha256").update(`${seed} ${count++}`).digest()
  return {
    bytes: (length) => {
      const bytes = new Uint8Array(length)
      for (let at = 0; at < length; at += 32) bytes.set(block().subarray(0, length - at), at)
      return bytes
    },
    moment: () => new Uint8Array(block())
  }
}

/** A master key that is told by a number. */
export const masterKey = (name: number): MasterKey => ({
  _tag: "Raw",
  key: Redacted.make(new Uint8Array(32).fill(name))
})

/** All databases of one run take their keys from one entropy. */
export class SimKeys {
  private readonly entropy: Entropy

  constructor(seed: number) {
    this.entropy = entropyOf(seed)
  }

  layer(master: number | MasterKey): Layer.Layer<Encryption, DatabaseError> {
    const { entropy } = this
    return AeadEncryption.layerWith({ master: typeof master === "number" ? masterKey(master) : master, entropy })
  }
}

export interface Sealed extends Opened {
  readonly device: SimDisk.SimDisk
}

/** A database on the disk, opened with a master key. */
export const openSealed = (
  device: SimDisk.SimDisk,
  encryption: Layer.Layer<Encryption, DatabaseError>,
  options: OptionsInput
): Effect.Effect<Sealed, DatabaseError, Scope.Scope> =>
  Effect.map(
    Layer.build(
      Layer.fresh(LsmDatabase.layerWith({ ...options, directory }).pipe(Layer.provide([device.layer, encryption])))
    ),
    (context) => ({ database: Context.get(context, Database), maintenance: Context.get(context, Maintenance), device })
  )

/** The generation of the data key that each file is sealed with, by the headers of an image. */
export const generationsOf = (image: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  for (const [path, bytes] of image) {
    const name = path.slice(path.lastIndexOf("/") + 1)
    const kind = parseFileName(name)?.kind
    if (
      kind === undefined ||
      kind === "keyring" ||
      kind === "ballast" ||
      kind === "lock" ||
      bytes.length < fileHeaderBytes
    )
      continue
    found.set(name, decodeFileHeader(bytes, fileKinds[kind]).keyGeneration)
  }
  return found
}

const fileKinds = {
  log: FileKind.log,
  table: FileKind.table,
  value: FileKind.valueFile,
  manifest: FileKind.manifest,
  marker: FileKind.marker
}

/** The numbers of the keyring files. */
export const keyringsOf = (image: ReadonlyMap<string, Uint8Array>): ReadonlyArray<string> =>
  [...image.keys()].filter((path) => path.endsWith(".ring"))

/** Until nothing is sealed with an older key, and the keyring has one. */
export const settledKeys = (
  maintenance: MaintenanceService,
  limitMillis = 600_000
): Effect.Effect<EncryptionStats, Error> =>
  Effect.gen(function* () {
    for (let waited = 0; waited < limitMillis; waited += 50) {
      const { encryption, state } = yield* maintenance.stats
      if (encryption!.generations.length === 1) {
        // The keyring before is being removed.
        yield* Effect.sleep(1)
        return encryption!
      }
      if (waited > limitMillis - 100) return yield* Effect.fail(new Error(`not settled: ${state}`))
      yield* Effect.sleep(50)
    }
    return yield* Effect.fail(new Error("not settled"))
  })
