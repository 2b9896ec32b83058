// The disks on which the suites of the log and the manifest run, with what the suites need of them.
import { Effect, type Scope } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { tableFileName, valueFileName } from "../../src/internal/format/fileName.ts"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import type { ManifestUnderTest } from "../suites/manifestSuite.ts"
import type { WalUnderTest } from "../suites/walSuite.ts"
import { contentOf, faultyDisk, namesOn, replaceFile } from "./faultyDisk.ts"
import { bytesOf, openFiles, tableMeta } from "./fileSession.ts"

interface Place {
  readonly disk: DiskService
  readonly directory: string
  readonly afterPowerCut?: () => DiskService
}

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "strata-files-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const onSim = Effect.gen(function* () {
  const sim = SimDisk.make()
  yield* sim.disk.makeDirectory("/db")
  yield* sim.disk.syncDirectory("/")
  const afterPowerCut = () => MemoryDisk.fromImage(sim.files.crash(outcomes[0]!, new SeededRandom(1))).disk
  return { disk: sim.disk, directory: "/db", afterPowerCut } satisfies Place
})

export const places: ReadonlyArray<readonly [name: string, place: Effect.Effect<Place, unknown, Scope.Scope>]> = [
  [
    "MemoryDisk",
    Effect.gen(function* () {
      const { disk } = MemoryDisk.make()
      yield* disk.makeDirectory("/db")
      return { disk, directory: "/db" }
    })
  ],
  ["NodeDisk", Effect.map(temporaryDirectory, (directory) => ({ disk: NodeDisk.make(), directory }))],
  ["SimDisk", onSim]
]

/** Of a directory for copies. */
const copyName = "copy"

const under = Effect.fnUntraced(function* (place: Effect.Effect<Place, unknown, Scope.Scope>, files: RegExp) {
  const { afterPowerCut, directory, disk: plain } = yield* place
  const { disk, failNext } = faultyDisk(plain)
  const copy = { directory: plain.join(directory, copyName) }
  return {
    plain,
    directory,
    openCopy: {
      now: openFiles(disk, { create: false }, copy),
      afterPowerCut:
        afterPowerCut === undefined
          ? undefined
          : Effect.suspend(() => openFiles(afterPowerCut(), { create: false }, copy))
    },
    open: openFiles(disk, {}, { directory }),
    ...(afterPowerCut === undefined
      ? {}
      : { openAfterPowerCut: Effect.suspend(() => openFiles(afterPowerCut(), {}, { directory })) }),
    failNext: (operation: "append" | "sync", code: string, bytesAccepted = 0) =>
      failNext({ operation, code, bytesAccepted, path: files }),
    listing: Effect.orDie(
      Effect.map(namesOn(plain, directory), (entries) =>
        entries.map(({ bytes, name }) => `${name} ${bytes}`).join("\n")
      )
    )
  }
})

export const walOn = (
  place: Effect.Effect<Place, unknown, Scope.Scope>
): Effect.Effect<WalUnderTest, unknown, Scope.Scope> =>
  Effect.map(under(place, /\.wal$/), ({ directory, openCopy: _, plain, ...rest }) => ({
    ...rest,
    flipBitAt: (text) =>
      Effect.orDie(
        Effect.gen(function* () {
          for (const { name } of yield* namesOn(plain, directory, /\.wal$/)) {
            const path = plain.join(directory, name)
            const bytes = yield* contentOf(plain, path)
            const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(text)
            if (at === -1) continue
            bytes[at]! ^= 1
            yield* replaceFile(plain, path, bytes)
          }
        })
      )
  }))

export const manifestOn = (
  place: Effect.Effect<Place, unknown, Scope.Scope>
): Effect.Effect<ManifestUnderTest, unknown, Scope.Scope> =>
  Effect.map(under(place, /\.man$/), ({ directory, open, openAfterPowerCut, openCopy, plain, ...rest }) => ({
    ...rest,
    copyDirectory: plain.join(directory, copyName),
    openCopy: Effect.map(openCopy.now, ({ manifest }) => manifest),
    ...(openCopy.afterPowerCut === undefined
      ? {}
      : { openCopyAfterPowerCut: Effect.map(openCopy.afterPowerCut, ({ manifest }) => manifest) }),
    makeFile: (kind, number) =>
      Effect.orDie(
        Effect.gen(function* () {
          const name = (kind === "table" ? tableFileName : valueFileName)(number)
          const file = yield* plain.create(plain.join(directory, name))
          yield* file.append([new Uint8Array(tableMeta(number).bytes)])
          yield* file.sync
          yield* file.close
          yield* plain.syncDirectory(directory)
        })
      ),
    open: Effect.map(open, ({ manifest }) => manifest),
    ...(openAfterPowerCut === undefined
      ? {}
      : { openAfterPowerCut: Effect.map(openAfterPowerCut, ({ manifest }) => manifest) }),
    damage: (how) =>
      Effect.orDie(
        Effect.gen(function* () {
          const [newest] = (yield* namesOn(plain, directory, /\.man$/)).slice(-1)
          const path = plain.join(directory, newest!.name)
          const bytes = yield* contentOf(plain, path)
          if (how === "flip") bytes[130]! ^= 1
          yield* replaceFile(plain, path, how === "cut" ? bytes.subarray(0, bytes.length - 3) : bytes)
        })
      ),
    tearMarker: Effect.orDie(
      replaceFile(plain, plain.join(directory, "current-0000000000000fff.mark"), bytesOf("STRATA"))
    )
  }))
