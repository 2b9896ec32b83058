/**
 * Memtables in a fixed pool of arenas.
 *
 * Arenas are made once and used again and again: fresh ones are not given back to the system in time (150 of 16 MiB
 * handed to a worker left 2.6 GB resident). They are shared buffers where there are any, so that a worker can read a
 * frozen one without a copy.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { assert } from "../internal/format/formatError.ts"
import { Arena } from "../internal/structure/arena.ts"
import { Memtable as MemtableIndex } from "../internal/structure/memtable.ts"
import { Memtable, type MemtableHandle } from "../services/Memtable.ts"
import { Options } from "../services/Options.ts"

const makeMemtable = (bytes: number): MemtableIndex =>
  new MemtableIndex(
    new Arena(typeof SharedArrayBuffer === "undefined" ? new ArrayBuffer(bytes) : new SharedArrayBuffer(bytes))
  )

/**
 * `arenaCount` memtables of `arenaBytes` each, made when first needed.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Memtable> = Layer.effect(
  Memtable,
  Effect.gen(function* () {
    const { arenaBytes, arenaCount } = yield* Options
    const free: Array<MemtableIndex> = []
    const out = new Set<MemtableHandle>()
    let made = 0
    return Memtable.of({
      count: arenaCount,
      arenaBytes,
      acquireUnsafe: () => {
        if (free.length === 0 && made < arenaCount) {
          made += 1
          free.push(makeMemtable(arenaBytes))
        }
        const memtable = free.pop()
        if (memtable !== undefined) out.add(memtable)
        return memtable
      },
      releaseUnsafe: (memtable) => {
        // What is not of the pool (`extraUnsafe`) is left to the collector.
        if (!out.delete(memtable)) return
        assert(memtable instanceof MemtableIndex, "a memtable of another pool came back")
        memtable.reset()
        free.push(memtable)
      },
      extraUnsafe: makeMemtable
    })
  })
)
