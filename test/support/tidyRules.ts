// The rules of the house, as functions of one source. What each is for: DESIGN §2 (imports, seams) and STYLE (sizes,
// conventions) of the project; the README has them in short. A rule returns what is wrong and where; `tidySamples.ts`
// holds, for each, a source that breaks it.
import type { Token } from "./lexer.ts"
import { type FunctionShape, resolve, type Source } from "./source.ts"

export interface Finding {
  readonly line: number
  readonly message: string
}

export interface Rule {
  readonly name: string
  /** The files it reads, by the start of their paths. */
  readonly of: ReadonlyArray<string>
  readonly check: (source: Source) => ReadonlyArray<Finding>
}

/** What starts a thread: runs beside the database, by kernel code and Node alone. */
export const workerEntry = "src/programs/jobWorker.ts"

// What starts a process or a thread: these may touch Node, and those of processes wire layers.
const entryPoints = new Set(["src/programs/strata.ts", "src/programs/demo.ts", workerEntry])

const mayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  "src/services": ["src/services"],
  "src/layers": ["src/services", "src/internal", "src/layers"],
  "src/internal/format": ["src/internal/format"],
  "src/internal/structure": ["src/internal/format", "src/internal/structure"],
  "src/internal/engine": ["src/services", "src/internal/format", "src/internal/structure", "src/internal/engine"],
  "src/programs": ["src/services", "src/internal", "src/programs"],
  // The one barrel.
  src: ["src/services", "src/layers"]
}

// Pure computation that happens to live in Node: no files, no time.
const nodeComputation: ReadonlyArray<readonly [path: RegExp, module: string]> = [
  [/^src\/internal\/format\/(?:checksum|zstd)\.ts$/, "node:zlib"],
  // In format, for workers seal by the same functions, and know no Effect and no layers.
  [/^src\/internal\/format\/cipher\.ts$/, "node:crypto"]
]

const isNodeLayer = (path: string): boolean => /^src\/layers\/Node\w*\.ts$/.test(path)
const touchesNode = (path: string): boolean => isNodeLayer(path) || entryPoints.has(path)
const isRelative = (from: string): boolean => from.startsWith(".")
const within = (path: string, folder: string): boolean => path.startsWith(`${folder}/`)

const importsOneWay = (source: Source): ReadonlyArray<Finding> => {
  const allowed = mayImport[source.folder]
  if (allowed === undefined || (source.folder === "src" && source.path !== "src/index.ts")) {
    return [{ line: 1, message: "has no place in the house: see DESIGN §2 for the folders of src" }]
  }
  const wires = entryPoints.has(source.path) ? [...allowed, "src/layers"] : allowed
  return source
    .imports()
    .filter(({ from }) => isRelative(from) && !wires.some((folder) => within(resolve(source.path, from), folder)))
    .map(({ from, line }) => ({ line, message: `${source.folder} may not import ${resolve(source.path, from)}` }))
}

const oneBarrel = (source: Source): ReadonlyArray<Finding> => {
  const isBarrel = source.path === "src/index.ts"
  const own = isBarrel
    ? source.exports().map(({ line, name }) => ({ line, message: `the barrel defines ${name}` }))
    : []
  const others = isBarrel ? [] : source.imports().filter(({ reexport }) => reexport)
  return [...own, ...others.map(({ line }) => ({ line, message: "only src/index.ts re-exports" }))]
}

const modulePaths = (source: Source): ReadonlyArray<Finding> =>
  source
    .imports()
    .filter(({ from }) => from === "effect" || from === "@effect/platform-node")
    .map(({ from, line }) => ({ line, message: `import a module, not the barrel: ${from}/<Module>` }))

const plainKernel = (source: Source): ReadonlyArray<Finding> =>
  source
    .imports()
    .filter(({ from }) => /^@?effect(?:\/|$)/.test(from))
    .map(({ from, line }) => ({ line, message: `no Effect in ${source.folder}: ${from}` }))

const nodeModules = (source: Source): ReadonlyArray<Finding> =>
  source
    .imports()
    .filter(({ from }) => from.startsWith("node:") && !touchesNode(source.path))
    .filter(({ from }) => !nodeComputation.some(([path, module]) => path.test(source.path) && module === from))
    .map(({ from, line }) => ({ line, message: `${from} belongs in layers/Node*.ts or an entry point` }))

const packages = (source: Source): ReadonlyArray<Finding> =>
  source
    .imports()
    .filter(({ from }) => !isRelative(from) && !from.startsWith("node:") && !from.startsWith("effect/"))
    .filter(
      ({ from }) => !within(source.path, "src/programs") && !(from.startsWith("@effect/") && isNodeLayer(source.path))
    )
    .map(({ from, line }) => ({ line, message: `${from}: packages beside effect are for src/programs` }))

/** The imports of Effect that a source reaches, its own and those of what it imports, with the files that have them. */
export const effectReached = (entry: string, sources: ReadonlyArray<Source>): ReadonlyArray<string> => {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const seen = new Set<string>()
  const found: Array<string> = []
  const visit = (path: string): void => {
    const source = byPath.get(path)
    if (seen.has(path) || source === undefined) return
    seen.add(path)
    for (const { from, line } of source.imports()) {
      if (isRelative(from)) visit(resolve(path, from))
      else if (/^@?effect(?:\/|$)/.test(from)) found.push(`${path}:${line} ${from}`)
    }
  }
  visit(entry)
  return found
}

const globals: ReadonlyArray<readonly [tokens: ReadonlyArray<string>, instead: string]> = [
  [["Date", ".", "now"], "Clock"],
  [["new", "Date"], "Clock or DateTime"],
  [["performance", "."], "Clock"],
  [["Math", ".", "random"], "Random"],
  [["crypto", "."], "Random, or a layer"],
  [["setTimeout"], "Effect.sleep"],
  [["setInterval"], "Effect.sleep"],
  [["setImmediate"], "Effect.yieldNow"],
  [["queueMicrotask"], "the scheduler"],
  [["process", "."], "Config, or a Node layer"],
  [["new", "Worker"], "a Node layer"]
]

const noGlobals = (source: Source): ReadonlyArray<Finding> =>
  touchesNode(source.path)
    ? []
    : globals.flatMap(([tokens, instead]) =>
        source
          .find(...tokens)
          .filter((index) => source.text(index - 1) !== "." || source.text(index - 2) === "globalThis")
          .map((index) => ({ line: source.tokens[index]!.line, message: `${tokens.join(" ")}: use ${instead}` }))
      )

const promises = [
  ["async"],
  ["Promise", "."],
  ["new", "Promise"],
  ["Effect", ".", "promise"],
  ["Effect", ".", "tryPromise"]
]

// The simulation's scheduler chooses the next fiber, and a promise would choose for itself.
const noPromises = (source: Source): ReadonlyArray<Finding> =>
  isNodeLayer(source.path)
    ? []
    : promises.flatMap((tokens) =>
        source
          .find(...tokens)
          .filter((index) => source.text(index - 1) !== ".")
          .map((index) => ({ line: source.tokens[index]!.line, message: `${tokens.join(" ")}: use Effect` }))
      )

const fileLinesMax = 500
const functionLinesMax = 70
const columnsMax = 120
const parametersMax = 3
const kernelParametersMax = 6

const fileSize = (source: Source): ReadonlyArray<Finding> =>
  source.lines.length > fileLinesMax
    ? [{ line: fileLinesMax, message: `${source.lines.length} lines; at most ${fileLinesMax}` }]
    : []

const functionSize = (source: Source): ReadonlyArray<Finding> =>
  source
    .functions()
    .filter(({ lines }) => lines > functionLinesMax)
    .map(({ line, lines, name }) => ({ line, message: `${name} has ${lines} lines; at most ${functionLinesMax}` }))

const typeOf = (parameter: ReadonlyArray<Token>): string => {
  const colon = parameter.findIndex(({ text }) => text === ":")
  return colon < 0
    ? ""
    : parameter
        .slice(colon + 1)
        .map(({ text }) => text)
        .join("")
}

/**
 * A range of bytes is one parameter: an array and the one or two numbers after it (`key, start, end`). In format and
 * structure, where an options object would be allocated for every key, up to six of nothing but numbers, booleans and
 * typed arrays are allowed besides. Parameters without types follow a function type, which is counted where it stands.
 */
const tooMany = ({ parameters }: FunctionShape, isKernel: boolean): boolean => {
  const types = parameters.map(typeOf)
  if (types.every((type) => type === "")) return false
  if (types.length > kernelParametersMax) return true
  if (isKernel && types.every((type) => /^(?:number|boolean|[A-Z]\w*Array)$/.test(type))) return false
  let count = 0
  for (let at = 0; at < types.length; at += 1) {
    count += 1
    if (types[at] !== "Uint8Array") continue
    for (let numbers = 0; numbers < 2 && types[at + 1] === "number"; numbers += 1) at += 1
  }
  return count > parametersMax
}

const parameterCount = (source: Source): ReadonlyArray<Finding> => {
  const isKernel = source.folder === "src/internal/format" || source.folder === "src/internal/structure"
  return source
    .functions()
    .filter((shape) => tooMany(shape, isKernel))
    .map(({ line, name, parameters }) => ({
      line,
      message: `${name} takes ${parameters.length} parameters; at most ${parametersMax}, where a byte range is one`
    }))
}

const lineLength = (source: Source): ReadonlyArray<Finding> =>
  [...source.lines.entries()]
    .filter(([, text]) => text.length > columnsMax)
    .map(([at, text]) => ({ line: at + 1, message: `${text.length} columns; at most ${columnsMax}` }))

const job = /open|recover|flush|compact|collect|backup|checkpoint|verify|import|transaction/i

const spansOnJobs = (source: Source): ReadonlyArray<Finding> =>
  ["fn", "withSpan", "useSpan"].flatMap((name) =>
    source
      .find("Effect", ".", name, "(")
      .filter(
        (index) => !job.test(source.tokens.slice(index, index + 12).find(({ kind }) => kind === "string")?.text ?? "")
      )
      .map((index) => ({
        line: source.tokens[index]!.line,
        message: `Effect.${name} is for jobs (open, flush, compaction, …): use Effect.fnUntraced`
      }))
  )

const nothingLeft = (source: Source): ReadonlyArray<Finding> =>
  source.comments
    .filter(({ text }) => /\b(?:TODO|FIXME)\b/.test(text))
    .map(({ line }) => ({ line, message: "do it, or make it an issue" }))

const importsCarryTs = (source: Source): ReadonlyArray<Finding> =>
  source
    .imports()
    .filter(({ from }) => isRelative(from) && !/\.(?:ts|json)$/.test(from))
    .map(({ from, line }) => ({ line, message: `${from} carries no .ts` }))

const opensWithComment = (source: Source): ReadonlyArray<Finding> =>
  source.comments[0]?.before === 0 ? [] : [{ line: 1, message: "say first what the file is for" }]

const documented = (source: Source): ReadonlyArray<Finding> =>
  source
    .exports()
    .filter(
      ({ doc }) =>
        !doc.startsWith("/**") || !(/@internal\b/.test(doc) || (/@since \d/.test(doc) && /@category \w/.test(doc)))
    )
    .map(({ line, name }) => ({ line, message: `${name}: JSDoc with @since and @category, or @internal` }))

const named = (source: Source): ReadonlyArray<Finding> =>
  source.find("extends").flatMap((index) => {
    const name = source.text(index - 1)
    const maker = source.text(index + 3)
    const known = maker === "TaggedError" || maker === "Service" || maker === "TaggedClass"
    if (source.text(index + 2) !== "." || !known) return []
    const call = source.text(index + 4) === "<" ? source.angleEnd(index + 4) + 1 : index + 4
    const names = source.tokens.slice(call, call + 6).filter(({ kind }) => kind === "string")
    const bad = names.filter(({ text }) => text !== name && text !== `strata/${name}`)
    const line = source.tokens[index]!.line
    if (names.length === 0) return [{ line, message: `${name} has no key` }]
    return bad.map(({ text }) => ({
      line,
      message: `${name} is named "${text}": keys are "strata/${name}", tags "${name}"`
    }))
  })

const everything = ["src/", "test/", "scripts/", "bench/"]

export const rules: ReadonlyArray<Rule> = [
  { name: "imports point one way", of: ["src/"], check: importsOneWay },
  { name: "src/index.ts is the one barrel and only that", of: ["src/"], check: oneBarrel },
  { name: "Effect is imported by module", of: ["src/"], check: modulePaths },
  {
    name: "format and structure know no Effect",
    of: ["src/internal/format/", "src/internal/structure/"],
    check: plainKernel
  },
  { name: "Node is touched in Node layers and entry points only", of: ["src/"], check: nodeModules },
  { name: "packages beside effect are for programs", of: ["src/"], check: packages },
  { name: "time, randomness, timers and the environment are services", of: ["src/"], check: noGlobals },
  { name: "no promises before the disk", of: ["src/services/", "src/layers/", "src/internal/"], check: noPromises },
  { name: "a file has at most 500 lines", of: ["src/", "scripts/", "bench/"], check: fileSize },
  { name: "a function has at most 70 lines", of: ["src/", "scripts/"], check: functionSize },
  { name: "a function takes at most 3 parameters", of: ["src/", "scripts/"], check: parameterCount },
  { name: "a line has at most 120 columns", of: everything, check: lineLength },
  { name: "spans are for jobs", of: ["src/services/", "src/layers/", "src/internal/"], check: spansOnJobs },
  { name: "nothing is left to do", of: everything, check: nothingLeft },
  { name: "relative imports carry .ts", of: everything, check: importsCarryTs },
  {
    name: "a source opens with what it is for",
    of: ["src/", "test/support/", "test/suites/", "scripts/"],
    check: opensWithComment
  },
  { name: "public exports are documented", of: ["src/services/", "src/layers/"], check: documented },
  { name: "keys and tags are class names", of: ["src/"], check: named }
]
