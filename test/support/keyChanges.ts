// Changes of the keys of a directory on a disk, alone, as a session of the database makes them.
import { Effect, type Scope } from "effect"
import * as AeadEncryption from "../../src/layers/AeadEncryption.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import type { Cipher } from "../../src/internal/format/cipher.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import {
  Encryption,
  type FileEncryption,
  FileKind,
  type KeyControl,
  type MasterKey,
  type SealedFile,
  type TagBytes
} from "../../src/services/Encryption.ts"
import { cheapCosts, placeOf, seededEntropy } from "./encryption.ts"
import { tagOf } from "./fileSession.ts"

export const directory = "/db"

/** A keyring has a number above all that are there. */
export class Numbers {
  private next: number
  constructor(next = 1) {
    this.next = next
  }
  readonly allocate = (): number => this.next++
}

export interface Keyed {
  readonly attached: FileEncryption
  readonly keys: KeyControl
}

/** Attaches as the manifest does: to create, without `sealedWith`. */
export const attach = (
  disk: DiskService,
  master: MasterKey,
  options: {
    readonly seed?: number
    readonly cipher?: Cipher
    readonly sealedWith?: TagBytes | undefined
    readonly readOnly?: boolean
  } = { sealedWith: 20 }
): Effect.Effect<Keyed, DatabaseError, Scope.Scope> => {
  const { cipher, readOnly = false, sealedWith, seed } = options
  const entropy = seed === undefined ? undefined : seededEntropy(seed)
  return Effect.gen(function* () {
    const encryption = yield* Encryption
    const place = yield* placeOf(disk, directory, { sealedWith, readOnly })
    const attached = yield* encryption.attach(place)
    return { attached, keys: attached.keys! }
  }).pipe(Effect.provide(AeadEncryption.layerWith({ master, entropy, cipher, costs: cheapCosts })))
}

/** A file sealed with the current data key, and what it takes to open it. */
export interface Kept {
  readonly file: SealedFile
  readonly body: Uint8Array
  readonly tag: Uint8Array
}

const associated = Uint8Array.of(1, 2, 3)
const plain = Uint8Array.of(4, 5, 6)

export const keep = ({ attached }: Keyed, id: number): Effect.Effect<Kept, DatabaseError> => {
  const file: SealedFile = {
    kind: FileKind.table,
    fileId: new Uint8Array(32).fill(id),
    databaseId: attached.databaseId!,
    keyGeneration: attached.keyGeneration(),
    access: "seal"
  }
  return Effect.map(attached.sealer(file), (sealer) => ({ file, ...sealer.seal(associated, plain) }))
}

/** Whether it opens. */
export const opens = ({ attached }: Keyed, { body, file, tag }: Kept): Effect.Effect<boolean, DatabaseError> =>
  Effect.map(attached.sealer({ ...file, access: "open" }), (sealer) => {
    try {
      return sealer.open(associated, body, tag).join() === plain.join()
    } catch {
      return false
    }
  })

export const ringNames = (disk: DiskService): Effect.Effect<ReadonlyArray<string>> =>
  Effect.orDie(
    Effect.map(disk.list(directory), (entries) =>
      entries.map(({ name }) => name).filter((name) => name.startsWith("keyring-"))
    )
  )

const emptyDisk = Effect.gen(function* () {
  const { disk } = MemoryDisk.make()
  yield* disk.makeDirectory(directory)
  return disk
})

/** A keyring of the master key, on a disk in memory. */
export const begun = Effect.fnUntraced(function* (master: MasterKey) {
  const disk = yield* emptyDisk
  const numbers = new Numbers()
  const keyed = yield* attach(disk, master, {})
  yield* keyed.attached.persist(numbers.allocate)
  return { disk, allocate: numbers.allocate, ...keyed }
})

export const ringBytes = (disk: DiskService, name: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* disk.open(`${directory}/${name}`)
      const bytes = yield* file.read(0, file.size)
      yield* file.close
      return bytes
    })
  )

/** In place of what is there. */
export const writeFile = Effect.fnUntraced(function* (disk: DiskService, name: string, bytes: Uint8Array) {
  yield* Effect.ignore(disk.remove(`${directory}/${name}`))
  const file = yield* disk.create(`${directory}/${name}`)
  yield* file.append([bytes])
  yield* file.close
})

/** What attaching ends with. */
export const attachTag = (disk: DiskService, master: MasterKey): Effect.Effect<string> =>
  tagOf(Effect.scoped(attach(disk, master)))
