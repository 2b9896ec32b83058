// An encryption that shows where bytes are sealed and opened, and hides nothing from anybody who looks: a weak
// keystream, a weak tag, and a keyring with the keys in the clear. It has all the services of a real one, and counts.
import { Effect, Layer } from "effect"
import { keyringFileName } from "../../src/internal/format/fileName.ts"
import { tampered } from "../../src/internal/format/formatError.ts"
import type { Sealer } from "../../src/internal/format/sealer.ts"
import * as Errors from "../../src/services/DatabaseError.ts"
import type { DiskError } from "../../src/services/Disk.ts"
import {
  type Allocate,
  Encryption,
  type FileEncryption,
  type KeyControl,
  type Place,
  type SealedFile
} from "../../src/services/Encryption.ts"
import { hex } from "../internal/format/support.ts"
import { contentOf } from "./faultyDisk.ts"

/** What a keyring file holds, as text. */
interface Ring {
  readonly master: string
  readonly databaseId: string
  readonly generations: ReadonlyArray<number>
}

const mixed = (start: number, bytes: Uint8Array): number => {
  let hash = start
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}

const xored = (seed: number, bytes: Uint8Array): Uint8Array => {
  let state = seed | 1
  return bytes.map((byte) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return byte ^ state
  })
}

const tagOf = (seed: number, associated: Uint8Array, plain: Uint8Array): Uint8Array =>
  new Uint8Array(Uint32Array.from([1, 2, 3, 4], (lane) => mixed(mixed(seed + lane * 77, associated), plain)).buffer)

export const fakeSealer = (file: SealedFile, onSeal: () => void): Sealer => {
  const generation = Uint8Array.of(file.kind, file.keyGeneration)
  const fileKey = mixed(mixed(mixed(0x811c9dc5, file.fileId), file.databaseId), generation)
  let counter = 0
  return {
    tagBytes: 20,
    keyGeneration: file.keyGeneration,
    seal: (associated, plain) => {
      if (file.access !== "seal") throw new Error("a sealer that opens was to seal")
      onSeal()
      counter += 1
      const seed = fileKey + counter
      const tag = new Uint8Array(20)
      tag.set(tagOf(seed, associated, plain))
      new DataView(tag.buffer).setUint32(16, counter, true)
      return { body: xored(seed, plain), tag }
    },
    open: (associated, body, tag) => {
      const seed = fileKey + new DataView(tag.buffer, tag.byteOffset).getUint32(16, true)
      const plain = xored(seed, body)
      if (hex(tagOf(seed, associated, plain)) !== hex(tag.subarray(0, 16))) throw tampered("the tag does not match", 0)
      return plain
    }
  }
}

export class FakeEncryption {
  /** By the file's id: how often what seals it was asked for. */
  readonly sealers = new Map<string, number>()
  /** Pieces sealed. */
  sealed = 0
  private readonly master: string
  private random = 1

  constructor(master: string) {
    this.master = master
  }

  get layer(): Layer.Layer<Encryption> {
    return Layer.succeed(Encryption, Encryption.of({ name: "fake", attach: (place) => this.attach(place) }))
  }

  private attach(place: Place): Effect.Effect<FileEncryption, Errors.DatabaseError> {
    const refuse = (reason: Errors.Reason) => Effect.fail(Errors.fail(reason))
    const { directory, disk, keyrings, sealedWith } = place
    if (sealedWith === 4) return refuse(new Errors.NotEncrypted({ message: `${directory} is not encrypted` }))
    const number = keyrings[0] ?? 0
    const file = ringFile(place, number)
    if (sealedWith === undefined) {
      const databaseId = hex(this.bytes(16))
      return Effect.succeed(this.attached(place, 0, { master: this.master, databaseId, generations: [1] }))
    }
    if (number === 0) return refuse(new Errors.Tampered({ message: `${directory}/keyring-: gone`, file, offset: 0 }))
    return Effect.flatMap(Effect.orDie(contentOf(disk, file)), (bytes) => {
      const ring = JSON.parse(new TextDecoder().decode(bytes)) as Ring
      if (ring.master === this.master) return Effect.succeed(this.attached(place, number, ring))
      return refuse(new Errors.EncryptionKeyMismatch({ message: `${directory} has another key` }))
    })
  }

  private bytes(length: number): Uint8Array {
    this.random += 1
    return xored(this.random * 7919, new Uint8Array(length))
  }

  private attached(place: Place, found: number, given: Ring): FileEncryption {
    let ring = given
    let number = found
    const current = () => ring.generations.at(-1)!
    const write = (next: Ring, allocate: Allocate) =>
      Effect.tap(writeRing(place, { ring: next, previous: number, number: allocate() }), (written) =>
        Effect.sync(() => {
          number = written
          ring = next
        })
      )
    return {
      name: "fake",
      tagBytes: 20,
      keyGeneration: current,
      databaseId: Uint8Array.from(Buffer.from(ring.databaseId, "hex")),
      newFileId: () => this.bytes(32),
      sealer: (file) => Effect.suspend(() => this.sealer(file, ring)),
      threadKeys: undefined,
      persist: (allocate) => (number === 0 ? Effect.asVoid(write(ring, allocate)) : Effect.void),
      verify: Effect.suspend(() =>
        number === 0
          ? Effect.succeed(0)
          : Effect.map(Effect.orDie(contentOf(place.disk, ringFile(place, number))), ({ length }) => length)
      ),
      keys: this.control(() => ({ ring, number }), write)
    }
  }

  private sealer(file: SealedFile, ring: Ring): Effect.Effect<Sealer, Errors.DatabaseError> {
    const isKnown = ring.generations.includes(file.keyGeneration)
    const id = hex(file.fileId)
    if (file.access === "seal") this.sealers.set(id, (this.sealers.get(id) ?? 0) + 1)
    const sealer = fakeSealer(file, () => void (this.sealed += 1))
    const refuse = () => {
      throw tampered(`there is no key ${file.keyGeneration}`, 0)
    }
    return Effect.succeed(isKnown ? sealer : { ...sealer, open: refuse })
  }

  private control(
    at: () => { readonly ring: Ring; readonly number: number },
    write: (ring: Ring, allocate: Allocate) => Effect.Effect<number, Errors.DatabaseError>
  ): KeyControl {
    return {
      facts: () => {
        const generations = at().ring.generations.map((generation) => ({
          generation,
          createdSequence: 0,
          createdMillis: 0
        }))
        const { number: ringNumber } = at()
        return { cipher: "fake", masterKind: "raw", providerKeyId: undefined, ringNumber, generations }
      },
      prepareMaster: () => Effect.die("not in this one"),
      rotateMaster: () => Effect.die("not in this one"),
      addDataKey: (_, allocate) => {
        const { ring } = at()
        const next = ring.generations.at(-1)! + 1
        return Effect.as(write({ ...ring, generations: [...ring.generations, next] }, allocate), next)
      },
      forgetBelow: (generation, allocate) => {
        const { ring } = at()
        const generations = ring.generations.filter((one) => one >= generation)
        return Effect.asVoid(write({ ...ring, generations }, allocate))
      }
    }
  }
}

const ringFile = ({ directory, disk }: Place, number: number): string => disk.join(directory, keyringFileName(number))

/** As the real one is written: a new file, durable with its name, and then the one before it goes. */
const writeRing = (
  { directory, disk }: Place,
  { number, previous, ring }: { readonly ring: Ring; readonly previous: number; readonly number: number }
): Effect.Effect<number, Errors.DatabaseError> =>
  Effect.gen(function* () {
    const file = yield* disk.create(disk.join(directory, keyringFileName(number)))
    yield* file.append([new TextEncoder().encode(JSON.stringify(ring))])
    yield* file.sync
    yield* file.close
    yield* disk.syncDirectory(directory)
    if (previous > 0) yield* disk.remove(disk.join(directory, keyringFileName(previous)))
    yield* disk.syncDirectory(directory)
    return number
  }).pipe(
    Effect.mapError(({ code, file, message, operation }: DiskError) =>
      Errors.fail(new Errors.Io({ message, operation, file, code }))
    )
  )
