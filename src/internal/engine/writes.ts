// The writes of the database outside of transactions: a commit of one operation, of a batch, of a stream.
//
// What fits goes the short way: its records are measured and enter. Otherwise values go to value files first (see
// directValues.ts), those that are long and, for a commit that no memtable could hold, those that take most of it.
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Bounds, Bytes, Commit, DatabaseService, Operation, WriteOptions } from "../../services/Database.ts"
import { DatabaseError, invalid } from "../../services/DatabaseError.ts"
import type { Durability, OptionsShape } from "../../services/Options.ts"
import type { OracleService } from "../../services/Oracle.ts"
import { commitHeaderBytes } from "../format/commit.ts"
import { Kind, type RecordFields, recordFields } from "../format/record.ts"
import { BatchBuffers } from "../structure/batchBuffer.ts"
import { WriteBuffer } from "../structure/writeBuffer.ts"
import { attempt } from "./attempt.ts"
import type { CommitRequest } from "./commitQueue.ts"
import type { Committer } from "./committer.ts"
import type { CommitValues } from "./commitValues.ts"
import type { DirectValues } from "./directValues.ts"
import {
  BufferedRequest,
  checkedDurability,
  type Limits,
  fillPlain,
  operationWrite,
  PlainRequest,
  removeFields,
  removeRangeFields,
  setWrite,
  SingleRequest,
  type Write
} from "./requests.ts"
import { planValues, roomOf, separate } from "./separatedValues.ts"
import { receive, receivedFields, streamSource } from "./streamedValue.ts"

export interface WriteParts {
  readonly limits: Limits
  readonly oracle: OracleService
  readonly committer: Committer
  readonly direct: DirectValues
  /** Throws if the database takes no writes. */
  readonly check: () => void
}

interface SetGiven {
  readonly value: Bytes
  readonly options: Parameters<DatabaseService["set"]>[2]
}

type Service = Pick<DatabaseService, "set" | "setStream" | "remove" | "removeRange" | "write">

const nothing = new Uint8Array(0)

export class Writes {
  private readonly batches = new BatchBuffers()
  private readonly batchFields = recordFields()
  private readonly parts: WriteParts
  private readonly options: OptionsShape

  constructor(parts: WriteParts) {
    this.parts = parts
    this.options = parts.limits.options
  }

  service(): Service {
    const { limits } = this.parts
    return {
      set: (key, value, options) => Effect.suspend(() => this.set(limits, key, { value, options })),
      setStream: (key, stream, options) => this.setStream(key, stream, options),
      remove: (key, options) =>
        this.run(options, (durability) => this.enter(new SingleRequest(removeFields(key)), durability)),
      removeRange: (bounds, options) => this.removeRange(bounds, options),
      write: (operations, options) => this.run(options, (durability) => this.batch(operations, durability))
    }
  }

  /** As `run`, without the three closures of each call: it is the write that is made most. */
  private set(limits: Limits, key: Bytes, set: SetGiven): Effect.Effect<Commit, DatabaseError> {
    try {
      this.parts.check()
      const durability = checkedDurability(set.options?.durability) ?? this.options.durability
      return this.one(setWrite(limits, key, set), durability)
    } catch (error) {
      if (error instanceof DatabaseError) return Effect.fail(error)
      throw error
    }
  }

  private run(
    options: WriteOptions | undefined,
    body: (durability: Durability) => Effect.Effect<Commit, DatabaseError>
  ): Effect.Effect<Commit, DatabaseError> {
    return attempt(() => {
      this.parts.check()
      return body(checkedDurability(options?.durability) ?? this.options.durability)
    })
  }

  private enter(request: CommitRequest, durability: Durability): Effect.Effect<Commit, DatabaseError> {
    return this.parts.committer.commitNow(request, durability)
  }

  private removeRange(bounds: Bounds, options: WriteOptions | undefined): Effect.Effect<Commit, DatabaseError> {
    return this.run(options, (durability) => {
      const fields = removeRangeFields(bounds)
      return fields === undefined ? this.nothing() : this.enter(new SingleRequest(fields), durability)
    })
  }

  /** The commit of no records. */
  private nothing(): Effect.Effect<Commit> {
    const { oracle } = this.parts
    return Effect.succeed({ sequence: oracle.visible(), commitMillis: oracle.commitMillisMax() })
  }

  private one(write: Write, durability: Durability): Effect.Effect<Commit, DatabaseError> {
    const request = write.value === undefined ? new SingleRequest(write.fields) : undefined
    if (request !== undefined && commitHeaderBytes + request.recordBytes <= this.options.arenaBytes) {
      return this.enter(request, durability)
    }
    return this.separated([write], durability)
  }

  private batch(operations: ReadonlyArray<Operation>, durability: Durability): Effect.Effect<Commit, DatabaseError> {
    const { limits } = this.parts
    if (operations.length === 1) {
      const write = operationWrite(limits, operations[0]!)
      return write === undefined ? this.nothing() : this.one(write, durability)
    }
    return this.plain(operations, durability) ?? this.mixed(operations, durability)
  }

  /** The short way of a batch that names no key twice. `undefined` if it is no such batch. */
  private plain(
    operations: ReadonlyArray<Operation>,
    durability: Durability
  ): Effect.Effect<Commit, DatabaseError> | undefined {
    const { limits } = this.parts
    const { batchFields, batches } = this
    const roomBytes = roomOf(this.options)
    const buffer = batches.take()
    let removesOnly = true
    for (const operation of operations) {
      if (fillPlain(batchFields, limits, operation) && buffer.add(batchFields, roomBytes)) {
        if (batchFields.kind !== Kind.remove) removesOnly = false
        continue
      }
      batches.giveBack(buffer)
      return undefined
    }
    // Kept for the next batch, it must not keep this one's bytes.
    batchFields.key = nothing
    batchFields.value = nothing
    if (buffer.count > 0) return this.enter(new PlainRequest(buffer, batches, removesOnly), durability)
    batches.giveBack(buffer)
    return this.nothing()
  }

  private mixed(operations: ReadonlyArray<Operation>, durability: Durability): Effect.Effect<Commit, DatabaseError> {
    const { limits } = this.parts
    const { arenaBytes, transactionBytesMax } = this.options
    const writes: Array<Write> = []
    const buffer = new WriteBuffer(transactionBytesMax)
    let isInline = true
    for (const operation of operations) {
      const write = operationWrite(limits, operation)
      if (write === undefined) continue
      writes.push(write)
      isInline &&= write.value === undefined && buffer.add(write.fields)
    }
    const request = isInline ? new BufferedRequest(buffer) : undefined
    if (request === undefined || commitHeaderBytes + request.recordBytes > arenaBytes) {
      return this.separated(writes, durability)
    }
    return buffer.isEmpty ? this.nothing() : this.enter(request, durability)
  }

  private setStream<E, R>(
    key: Bytes,
    stream: Stream.Stream<Uint8Array, E, R>,
    options: Parameters<DatabaseService["setStream"]>[2]
  ): Effect.Effect<void, E | DatabaseError, R> {
    return attempt(() => {
      this.parts.check()
      const { direct, limits } = this.parts
      const durability = checkedDurability(options?.durability) ?? this.options.durability
      const source = streamSource(limits, key, { stream, options })
      return direct.withValues((values) =>
        Effect.flatMap(receive(direct, source, values), (received) =>
          attempt(() => {
            this.parts.check()
            const fields = receivedFields(limits, key, { received, options })
            if ("value" in received) return this.one({ fields, value: undefined }, durability)
            return this.enter(new SingleRequest(fields, values), durability)
          })
        )
      )
    })
  }

  /** The commit of the writes, with those values in value files for which it is due. */
  private separated(writes: ReadonlyArray<Write>, durability: Durability): Effect.Effect<Commit, DatabaseError> {
    const { direct } = this.parts
    const planned = planValues(writes, roomOf(this.options))
    if (planned.every(({ value }) => value === undefined)) {
      return this.normalised(
        planned.map(({ fields }) => fields),
        durability
      )
    }
    return direct.withValues((values) =>
      Effect.flatMap(separate(direct, planned, values), (fields) =>
        attempt(() => this.normalised(fields, durability, values))
      )
    )
  }

  private normalised(
    records: ReadonlyArray<RecordFields>,
    durability: Durability,
    values?: CommitValues
  ): Effect.Effect<Commit, DatabaseError> {
    if (records.length === 1) return this.enter(new SingleRequest(records[0]!, values), durability)
    const { transactionBytesMax } = this.options
    const buffer = new WriteBuffer(transactionBytesMax)
    for (const fields of records) {
      if (buffer.add(fields)) continue
      throw invalid(`the batch needs more than transactionBytesMax (${transactionBytesMax}); split it`)
    }
    return this.enter(new BufferedRequest(buffer, values), durability)
  }
}
