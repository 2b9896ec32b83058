// For each rule of `tidyRules.ts`: sources that break it, each by itself, and sources that look like it and do not. A
// source is its path and its text.

type Sample = readonly [path: string, text: string]

export interface Samples {
  readonly bad: ReadonlyArray<Sample>
  readonly good: ReadonlyArray<Sample>
}

const service = "src/services/Some.ts"
const layer = "src/layers/Some.ts"
const nodeLayer = "src/layers/NodeSome.ts"
const format = "src/internal/format/some.ts"
const structure = "src/internal/structure/some.ts"
const engine = "src/internal/engine/some.ts"
const program = "src/programs/some.ts"
const cli = "src/programs/strata.ts"
const barrel = "src/index.ts"

const importing = (from: string): string => `import { a } from "${from}"\n`
const lines = (count: number): string => "  a()\n".repeat(count)
const documentation = "/**\n * Words.\n *\n * @since 0.1.0\n * @category models\n */\n"

export const samples: Readonly<Record<string, Samples>> = {
  "imports point one way": {
    bad: [
      [service, importing("../layers/Other.ts")],
      [service, importing("../internal/format/some.ts")],
      [service, 'import type { A } from "../internal/engine/some.ts"\n'],
      [service, 'import {\n  type A,\n  b\n} from "../programs/some.ts"\n'],
      [service, 'const a = () => import("../layers/Other.ts")\n'],
      [service, 'export type A = import("../layers/Other.ts").A\n'],
      [service, 'import "../layers/Other.ts"\n'],
      [layer, importing("../programs/some.ts")],
      [layer, importing("../index.ts")],
      [format, importing("../structure/some.ts")],
      [format, importing("../../services/Some.ts")],
      [structure, importing("../engine/some.ts")],
      [structure, importing("../../services/Some.ts")],
      [engine, importing("../../layers/Other.ts")],
      [program, importing("../layers/Other.ts")],
      [barrel, 'export * as A from "./internal/format/some.ts"\n'],
      [barrel, 'export * as A from "./programs/some.ts"\n'],
      ["src/utils/some.ts", ""],
      ["src/other.ts", ""],
      ["src/internal/some.ts", ""]
    ],
    good: [
      [service, importing("./Other.ts")],
      [layer, importing("../services/Some.ts") + importing("../internal/engine/some.ts") + importing("./Other.ts")],
      [structure, importing("../format/some.ts") + importing("./other.ts")],
      [engine, importing("../../services/Some.ts") + importing("../structure/some.ts")],
      [program, importing("../services/Some.ts") + importing("../internal/format/some.ts")],
      [cli, importing("../layers/Other.ts")],
      [barrel, 'export * as A from "./services/Some.ts"\nexport * as B from "./layers/Other.ts"\n'],
      [service, '// import { a } from "../layers/Other.ts"\nconst a = `import b from "../layers/Other.ts"`\n']
    ]
  },
  "src/index.ts is the one barrel and only that": {
    bad: [
      [layer, 'export * from "./Other.ts"\n'],
      [layer, 'export { a } from "./Other.ts"\n'],
      [layer, 'export type { A } from "./Other.ts"\n'],
      [barrel, "export const a = 1\n"]
    ],
    good: [
      [barrel, 'export * as A from "./services/Some.ts"\n'],
      [layer, "const a = 1\nexport { a }\n"]
    ]
  },
  "Effect is imported by module": {
    bad: [
      [layer, importing("effect")],
      [nodeLayer, importing("@effect/platform-node")]
    ],
    good: [[layer, 'import * as Effect from "effect/Effect"\n']]
  },
  "format and structure know no Effect": {
    bad: [
      [format, 'import type * as Effect from "effect/Effect"\n'],
      [structure, importing("@effect/platform-node/NodeStream")]
    ],
    good: [[format, importing("./effect.ts")]]
  },
  "Node is touched in Node layers and entry points only": {
    bad: [
      [layer, importing("node:fs")],
      [format, importing("node:zlib")],
      [format, importing("node:crypto")],
      [engine, importing("node:crypto")],
      ["src/internal/format/cipher.ts", importing("node:zlib")],
      ["src/layers/AesEncryption.ts", importing("node:crypto")],
      [program, importing("node:path")],
      ["src/internal/format/checksum.ts", importing("node:fs")]
    ],
    good: [
      [nodeLayer, importing("node:fs")],
      [cli, importing("node:process")],
      ["src/internal/format/checksum.ts", importing("node:zlib")],
      ["src/internal/format/zstd.ts", importing("node:zlib")],
      ["src/internal/format/cipher.ts", importing("node:crypto")]
    ]
  },
  "packages beside effect are for programs": {
    bad: [
      [engine, importing("lodash")],
      [layer, importing("@effect/platform-node/NodeStream")]
    ],
    good: [
      [program, importing("cli-progress")],
      [nodeLayer, importing("@effect/platform-node/NodeStream")],
      [engine, importing("effect/Effect")]
    ]
  },
  "time, randomness, timers and the environment are services": {
    bad: [
      [engine, "const a = Date.now()\n"],
      [engine, "const a = new Date()\n"],
      [engine, "const a = performance.now()\n"],
      [structure, "const a = Math.random()\n"],
      [engine, "const a = crypto.randomUUID()\n"],
      [layer, "setTimeout(a, 1)\n"],
      [layer, "globalThis.setTimeout(a, 1)\n"],
      [layer, "const a = setInterval\n"],
      [program, "setImmediate(a)\n"],
      [engine, "queueMicrotask(a)\n"],
      [layer, "const a = `${process.env.HOME}`\n"],
      [engine, "const a = new Worker(b)\n"]
    ],
    good: [
      [engine, '// Date.now()\nconst a = "Date.now()" + `Math.random() ${b}`\nconst c = /process.env/\n'],
      [engine, "socket.setTimeout(1)\nclock.process.next()\n"],
      [nodeLayer, "setTimeout(a, 1)\n"],
      [cli, "const a = process.env\n"]
    ]
  },
  "no promises before the disk": {
    bad: [
      [engine, "const a = async () => 1\n"],
      [layer, "const a = Effect.tryPromise(b)\n"],
      [layer, "const a = Effect.promise(() => b)\n"],
      [structure, "const a = Promise.resolve(1)\n"],
      [structure, "const a = new Promise(b)\n"]
    ],
    good: [
      [nodeLayer, "const a = Effect.tryPromise(b)\n"],
      [program, "const a = async () => 1\n"],
      [engine, "const a = this.async(1)\n"]
    ]
  },
  "a file has at most 500 lines": { bad: [[layer, lines(501)]], good: [[layer, lines(500)]] },
  "a function has at most 70 lines": {
    bad: [
      [layer, `function a() {\n${lines(69)}}\n`],
      [layer, `const a = Effect.gen(function* () {\n${lines(69)}})\n`],
      [layer, `const a = (b: number): Array<Map<string, number>> => {\n${lines(69)}}\n`],
      [layer, `const a = () =>\n  b(\n${lines(69)}  )\n`],
      [layer, `class A {\n  b(c: { d: number }): { e: number } | undefined {\n${lines(69)}  }\n}\n`],
      [layer, `class A {\n  constructor() {\n${lines(69)}  }\n}\n`],
      [layer, `class A {\n  get b(): Map<string, number> {\n${lines(69)}  }\n}\n`],
      [layer, `class A {\n  [Symbol.iterator]() {\n${lines(69)}  }\n}\n`],
      [layer, `const a = {\n  async *b() {\n${lines(69)}  }\n}\n`]
    ],
    good: [
      [layer, `function a() {\n${lines(68)}}\n`],
      [layer, `const a = () => 1\n${"b()\n".repeat(80)}`],
      [layer, `class A {\n${"  b() {\n    c()\n  }\n".repeat(30)}}\n`],
      [layer, `interface A {\n  b(c: number): void\n${"  readonly d: number\n".repeat(80)}}\n`],
      [layer, `if (a(b)) {\n${lines(80)}}\n`]
    ]
  },
  "a function takes at most 3 parameters": {
    bad: [
      [layer, "const a = (b: number, c: string, d: number, e: number) => b\n"],
      [engine, "function a(b: number, c: number, d: number, e = 1) {\n  return b\n}\n"],
      [engine, "class A {\n  b(c: Map<string, number>, d: C, e: D, f: E): void {\n    g()\n  }\n}\n"],
      [format, "const a = (b: number, c: number, d: number, e: Entry): void => {}\n"],
      [format, "const a = (b: number, c: number, d: number, e: number, f: number, g: number, h: number) => b\n"],
      [engine, "const a = (k: Uint8Array, s: number, e: number, b: number, c: number, d: number) => b\n"],
      [
        engine,
        "const a = (k: Uint8Array, s: number, l: Uint8Array, t: number, m: Uint8Array, u: number, v: number) => k\n"
      ]
    ],
    good: [
      [layer, "const a = (b: number, c: Map<string, number>, d: { e: number; f: number }) => b\n"],
      [layer, "const a = call(b, c, d, e)\n"],
      [layer, 'const a: Service["a"] = (b, c, d, e) => b\n'],
      [layer, "if (a(b, c, d, e)) {\n  f()\n}\n"],
      [layer, "function a(this: void, b: number, c: number, d = [1, 2, 3]) {\n  return b\n}\n"],
      [engine, "const a = (key: Uint8Array, start: number, end: number, b: Entry, c: number) => b\n"],
      [format, "const a = (b: Uint8Array, c: number, d: Uint32Array, e: number, f: number, g: boolean) => b\n"]
    ]
  },
  "a line has at most 120 columns": {
    bad: [[layer, `// ${"a".repeat(118)}\n`]],
    good: [[layer, `// ${"a".repeat(117)}\n`]]
  },
  "spans are for jobs": {
    bad: [
      [engine, 'const a = Effect.fn("Database.get")(function* () {})\n'],
      [layer, "const a = Effect.fn(function* () {})\n"],
      [layer, 'const a = Effect.withSpan("Database.set")\n']
    ],
    good: [
      [engine, 'const a = Effect.fn("Flush.run")(function* () {})\n'],
      [engine, "const a = Effect.fnUntraced(function* () {})\n"]
    ]
  },
  "nothing is left to do": {
    bad: [
      [layer, "// TODO: later\n"],
      [layer, "/* FIXME */\n"]
    ],
    good: [[layer, 'const TODO = "TODO"\n']]
  },
  "relative imports carry .ts": {
    bad: [
      [layer, importing("./Other")],
      [layer, importing("./Other.js")],
      ["test/some.test.ts", importing("../src/index")]
    ],
    good: [[layer, importing("./Other.ts")]]
  },
  "a source opens with what it is for": {
    bad: [
      [layer, "const a = 1 // words\n"],
      [layer, ""]
    ],
    good: [
      [layer, "// Words.\nconst a = 1\n"],
      [cli, "#!/usr/bin/env node\n/** Words. */\nconst a = 1\n"]
    ]
  },
  "public exports are documented": {
    bad: [
      [service, "export const a = 1\n"],
      [service, "// Words. @since 0.1.0 @category models\nexport const a = 1\n"],
      [service, "/** Words. */\nexport interface A {}\n"],
      [service, "/**\n * Words.\n *\n * @since 0.1.0\n */\nexport type A = 1\n"],
      [service, `${documentation}const a = 1\nexport abstract class B {}\n`],
      [layer, "/** Words.\n * @category models */\nexport async function a() {}\n"]
    ],
    good: [
      [service, `${documentation}export const a = 1\n`],
      [layer, "/** @internal */\nexport const a = 1\n"],
      [service, "const a = 1\n"]
    ]
  },
  "keys and tags are class names": {
    bad: [
      [service, 'class A extends Schema.TaggedError<A>("strata/A")("B", {}) {}\n'],
      [service, 'class A extends Schema.TaggedError<A>("strata/B")("A", {}) {}\n'],
      [service, 'class A extends Data.TaggedError("B")<{ readonly a: Array<number> }> {}\n'],
      [service, 'class A extends Context.Service<A, { readonly b: Map<C, D> }>()("strata/B") {}\n'],
      [service, 'class A extends Context.Service<A, { readonly b: () => C }>()("A2") {}\n']
    ],
    good: [
      [service, 'class A extends Schema.TaggedError<A>("strata/A")("A", { b: Schema.String }) {}\n'],
      [service, 'class A extends Context.Service<\n  A,\n  { readonly b: () => Map<C, D> }\n>()("strata/A") {}\n'],
      [service, "class A extends B.C {}\n"]
    ]
  }
}
