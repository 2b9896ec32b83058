import { Layer } from "effect"
import * as ArenaMemtable from "../../src/layers/ArenaMemtable.ts"
import { defaults, Options } from "../../src/services/Options.ts"
import { memtableSuite } from "../suites/memtableSuite.ts"

memtableSuite("ArenaMemtable", () =>
  ArenaMemtable.layer.pipe(Layer.provide(Layer.succeed(Options, { ...defaults, arenaBytes: 64 * 1024, arenaCount: 2 })))
)
