// The sources of which no branch may be left unreached without a stated reason: what commits, recovers, installs,
// compacts and collects, and the decisions and formats under it.
const inFolder =
  (folder: string) =>
  (names: string): ReadonlyArray<string> =>
    names.split(" ").map((name) => `src/internal/${folder}/${name}.ts`)

const engine = inFolder("engine")
const structure = inFolder("structure")
const format = inFolder("format")

export const parts: ReadonlyArray<readonly [part: string, files: ReadonlyArray<string>]> = [
  [
    "commit",
    [
      "src/layers/FileWal.ts",
      "src/layers/LocalOracle.ts",
      ...engine("admission committer commitQueue commitValues directValues logWriter segmentFile sharedSync"),
      ...engine("transactions valueFileWriter valueWriters writes"),
      ...structure("arena conflictIndex keyIndex memtable readTracker writeBuffer writePressure"),
      ...format("commit logFrame record")
    ]
  ],
  [
    "recovery",
    [
      "src/layers/FileManifest.ts",
      "src/layers/LsmDatabase.ts",
      ...engine("directoryState foundValueFile keyringFiles logReplay manifestReader openDirectory opening ownFiles"),
      ...engine("recovery stateFiles"),
      ...structure("manifestState"),
      ...format("logScan manifestEdit manifestFrame marker")
    ]
  ],
  [
    "install",
    [
      ...engine("flusher jobFiles jobQueue jobRunner keyedFiles manifestWriter memtableFlush obsoleteFiles openFiles"),
      ...engine("tableFile valueFile view"),
      ...structure("jobInputs tableFacts valueFileFacts")
    ]
  ],
  [
    "compaction",
    [
      ...engine("compactionRun compactor"),
      ...structure("compactionChoice compactionLimits compactionPicker jobKernel keyAge level0Picker levelPicker"),
      ...structure("levels levelShape levelTargets merge mergePlan mergeSlices olderKeyPicker rangeRemovals"),
      ...structure(
        "recodePicker removalStripes retention runSource runVersions spill tableCuts tableOutput versionMerge"
      )
    ]
  ],
  [
    "collection",
    [
      ...engine("collectionRun collector"),
      ...structure("collectionPicker collectKernel garbageEstimate garbagePicker liveEstimate livePlaces liveValues"),
      ...structure("namedValues valueBatches valueCopy valueOutput valueReferences")
    ]
  ]
]
