// Branches that no test reaches, each with why. The code is the line, with a mark where the branch begins, as
// `npm run coverage` shows it.
interface Reason {
  readonly file: string
  readonly code: string
  readonly why: string
}

export const reasons: ReadonlyArray<Reason> = [
  {
    file: "src/internal/engine/keyringFiles.ts",
    code: "if (!(error instanceof FormatError)) «throw error",
    why: "only a bug of ours: what decoding refuses is a FormatError, and a bug is thrown on, never called damage"
  },
  {
    file: "src/internal/engine/logReplay.ts",
    code: "if (!(error instanceof FormatError)) «throw error",
    why: "only a bug of ours: what decoding refuses is a FormatError, and a bug is thrown on, never called damage"
  },
  {
    file: "src/internal/engine/manifestReader.ts",
    code: "if (!(error instanceof FormatError)) «throw error",
    why: "only a bug of ours: what decoding refuses is a FormatError, and a bug is thrown on, never called damage"
  },
  {
    file: "src/internal/engine/recovery.ts",
    code: "if (!(error instanceof FormatError)) «throw error",
    why: "only a bug of ours: what decoding refuses is a FormatError, and a bug is thrown on, never called damage"
  },
  {
    file: "src/internal/format/manifestFrame.ts",
    code: "if (!(error instanceof FormatError)) «throw error",
    why: "only a bug of ours: what decoding refuses is a FormatError, and a bug is thrown on, never called damage"
  },
  {
    file: "src/internal/engine/jobRunner.ts",
    code: "if (!(error instanceof FileDamage)) «throw error",
    why: "only a bug of ours: what a kernel finds in a file is FileDamage"
  },
  {
    file: "src/internal/engine/openFiles.ts",
    code: "throw error instanceof DiskError ? holder.ofOpen(error) : «error",
    why: "only a bug of a disk: what it fails with is a DiskError"
  },
  {
    file: "src/internal/engine/openFiles.ts",
    code: "if (!(error instanceof DiskError)) «throw error",
    why: "only a bug of a disk: what it fails with is a DiskError"
  },
  {
    file: "src/internal/engine/memtableFlush.ts",
    code: 'typeof SharedArrayBuffer === "undefined" ? «new ArrayBuffer(bytes) : new SharedArrayBuffer',
    why: "a runtime without shared memory, which Node is not"
  },
  {
    file: "src/internal/engine/compactor.ts",
    code: "return this.fibers === undefined ? «Effect.void : FiberSet.clear(this.fibers)",
    why: "an opening that is interrupted between the making of the engine and its start"
  },
  {
    file: "src/internal/engine/compactor.ts",
    code: "return poisoning(work, («error) => this.parts.committer.poison(error))",
    why: "only a bug in the compactor's own loop; the same in the collector's is tested"
  },
  {
    file: "src/internal/engine/compactor.ts",
    code: "if (this.crowded.length >= crowdedMax) «return",
    why: "nine scans over thousands of removals each, before the compactor looks at the first: a bound of memory"
  },
  {
    file: "src/internal/engine/committer.ts",
    code: "«this.queue.failAll(group, error, this.refusal!)",
    why: "the log refuses a group in the step in which something else has poisoned the database: two failures at once"
  },
  {
    file: "src/internal/engine/flusher.ts",
    code: "(this.stopped ? «closed() : undefined)",
    why: "a close waits for flushes before it stops the flusher, and a flush that fails is told by its own error"
  },
  {
    file: "src/internal/engine/flusher.ts",
    code: 'const closed = (): DatabaseError => «fail(new Closed({ message: "the database was closed b',
    why: "likewise"
  },
  {
    file: "src/internal/engine/manifestWriter.ts",
    code: "if (!this.hasKeysOf(change)) «return Effect.fail(forgotten())",
    why: "a rotation forgets a key only when no job seals by it: a second guard"
  },
  {
    file: "src/internal/engine/manifestWriter.ts",
    code: '«fail(new JobFailed({ message: "a data key was forgotten while a job sealed by it; it is r',
    why: "likewise"
  },
  {
    file: "src/internal/engine/dataKeys.ts",
    code: ": Effect.fail(«invalid(`a keyring has at most ${generationsMax} data keys; finish the rota",
    why: "4,096 data keys at once; the rotation refuses before (keyRotation.ts)"
  },
  {
    file: "src/internal/engine/keyRotation.ts",
    code: "«invalid(",
    why: "4,096 data keys at once, or 2^32 rotations"
  },
  {
    file: "src/internal/engine/valueReads.ts",
    code: "? «new Stale({ message: `${message} any more; open the database again`, file: directory })",
    why: "every reference of a table is checked when the manifest is read (manifestState.ts)"
  },
  {
    file: "src/internal/engine/valueReads.ts",
    code: ": «new Corruption({ message, file: directory, offset: 0 })",
    why: "likewise"
  },
  {
    file: "src/layers/NodeKeyDerivation.ts",
    code: "return Effect.fail(fail(«new Unsupported({ message })))",
    why: "a Node without argon2: the test needs the loader of `npm test`, for another node:crypto"
  },
  {
    file: "src/internal/engine/writes.ts",
    code: "«return this.normalised(",
    why: "values that do not fit were moved out or refused before (planValues): a second guard"
  },
  {
    file: "src/internal/engine/writes.ts",
    code: "«throw invalid(`the batch needs more than transactionBytesMax (${transactionBytesMax}); sp",
    why: "likewise"
  },
  {
    file: "src/internal/engine/compactor.ts",
    code: "if (this.roomBytes < Infinity || this.damaged.size === 0) «continue",
    why: "a full disk: who waits is told by the failure, in the step before"
  }
]
