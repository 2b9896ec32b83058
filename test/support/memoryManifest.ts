// A manifest that lives in memory: for tests of what needs one and is not about it.
import { Effect, Layer } from "effect"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import type { FileEncryption } from "../../src/services/Encryption.ts"
import { Manifest, type ManifestChange, type ManifestService, type ManifestState } from "../../src/services/Manifest.ts"

const initial: ManifestState = {
  databaseId: Uint8Array.from({ length: 16 }, (_, index) => index),
  incarnation: Uint8Array.from({ length: 16 }, (_, index) => 0x10 + index),
  epoch: 0,
  epochId: undefined,
  encryptionName: "none",
  tables: [],
  valueFiles: [],
  logNumberMin: 0,
  fileNumberNext: 1,
  sequencesReserved: 0,
  commitMillisMax: 0,
  lsnDurable: 0,
  cleanShutdown: undefined
}

const changed = (state: ManifestState, change: ManifestChange): ManifestState => {
  const { addTables = [], addValueFiles = [], removeTables = [], removeValueFiles = [], ...fields } = change
  const kept = state.tables.filter(({ number }) => !removeTables.includes(number))
  const keptFiles = state.valueFiles.filter(({ number }) => !removeValueFiles.includes(number))
  const tables = [...kept, ...addTables]
  return { ...state, cleanShutdown: undefined, ...fields, tables, valueFiles: [...keptFiles, ...addValueFiles] }
}

/** Knows nothing of the directory but its name. `removeOrphans` and `copyTo` do nothing. */
export const make = (
  directory: string,
  given?: Partial<ManifestState>,
  encryption: FileEncryption = NoEncryption.fileEncryption
): ManifestService => {
  let state: ManifestState = { ...initial, ...given }
  const epochNext = state.epoch + 1
  const epochIdNext = new Uint8Array(16).fill(epochNext)
  return Manifest.of({
    directory,
    exists: state.epoch > 0,
    encryption,
    compression: { upper: 0, bottom: 0, values: 0, known: [] },
    state: () => state,
    epochNext,
    epochIdNext,
    ifSound: (effect) => effect,
    allocateFileNumber: () => {
      const { fileNumberNext } = state
      state = { ...state, fileNumberNext: fileNumberNext + 1 }
      return fileNumberNext
    },
    begin: (change) =>
      Effect.sync(() => {
        state = { ...changed(state, change), epoch: epochNext, epochId: epochIdNext }
      }),
    publish: (change) =>
      Effect.sync(() => {
        state = changed(state, change)
      }),
    removeOrphans: () => Effect.succeed(0),
    copyTo: () => Effect.void,
    changeKeys: (change) => change(encryption.keys!, () => 0),
    rewrite: Effect.void,
    olderFiles: () => Effect.succeed([]),
    bytes: () => 0,
    bytesWritten: () => 0
  })
}

export const layer = (directory: string): Layer.Layer<Manifest> => Layer.sync(Manifest, () => make(directory))
