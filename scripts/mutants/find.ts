// Mutants: what keeps data safe, taken away one piece at a time. They are found in the sources by what they look like,
// so that new code of the same kind is mutated too.
//
//   sync       a sync of a file, or of a directory, does not happen
//   check      a condition behind which bytes are refused, or the log is damaged, is never true
//   poison     a failed sync is forgotten
//   lock       a step of the directory's lock is left out
//   order      two steps change places, or one that others rely on is left out (`orders`; each is an expression)
export type MutantKind = "sync" | "check" | "poison" | "lock" | "order"

export interface Edit {
  readonly file: string
  readonly start: number
  readonly end: number
  readonly to: string
}

export interface Mutant {
  readonly kind: MutantKind
  readonly file: string
  readonly line: number
  /** The code that is changed, on one line. */
  readonly was: string
  readonly edits: ReadonlyArray<Edit>
}

export type Sources = ReadonlyMap<string, string>

const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length

const oneLine = (code: string): string => code.replaceAll(/\s+/g, " ").slice(0, 90)

/** The offset behind the bracket that closes the one at `open`. Strings and templates are skipped. */
const closing = (text: string, open: number): number => {
  let depth = 0
  for (let at = open; at < text.length; at++) {
    const character = text[at]!
    if (`"'\``.includes(character)) {
      for (at += 1; at < text.length && text[at] !== character; at++) if (text[at] === "\\") at += 1
    } else if ("([{".includes(character)) depth += 1
    else if (")]}".includes(character) && --depth === 0) return at + 1
  }
  throw new Error("a bracket without its partner")
}

const mutant = (kind: MutantKind, edit: Edit, text: string): Mutant => ({
  kind,
  file: edit.file,
  line: lineAt(text, edit.start),
  was: oneLine(text.slice(edit.start, edit.end)),
  edits: [edit]
})

const isComment = (text: string, offset: number): boolean =>
  /^\s*(?:\/\/|\*|\/\*)/.test(text.slice(text.lastIndexOf("\n", offset) + 1, offset + 1))

const replaced = (
  kind: MutantKind,
  pattern: RegExp,
  to: string
): ((file: string, text: string) => ReadonlyArray<Mutant>) => {
  return (file, text) =>
    [...text.matchAll(pattern)]
      .filter((match) => !isComment(text, match.index))
      .map((match) => mutant(kind, { file, start: match.index, end: match.index + match[0].length, to }, text))
}

/** Calls of a function, with their arguments. */
const calls = (kind: MutantKind, pattern: RegExp, to: string) => (file: string, text: string) =>
  [...text.matchAll(pattern)]
    .filter((match) => !isComment(text, match.index))
    .map((match) => {
      const end = closing(text, match.index + match[0].length - 1)
      return mutant(kind, { file, start: match.index, end, to }, text)
    })

const refusal = new RegExp(
  String.raw`^\s*\{?\s*(?:throw (?:new FormatError|unsupported)|` +
    String.raw`return (?:yield\* )?(?:this\.)?(?:damage|damaged|missingFirst)\(|` +
    String.raw`return (?:yield\* )?refuse\(|return yield\* fail\(new Corruption|return ")`
)

/** Conditions of `if`s that refuse. */
const checks = (file: string, text: string): ReadonlyArray<Mutant> =>
  [...text.matchAll(/\bif \(/g)]
    .filter((match) => !isComment(text, match.index))
    .flatMap((match) => {
      const start = match.index + match[0].length
      const end = closing(text, start - 1) - 1
      const ends = text.slice(end + 1, end + 160)
      // A scan that ends where the chain does.
      const isScan = /chain/.test(text.slice(start, end)) && /^\s*break\b/.test(ends)
      if (!isScan && !refusal.test(ends)) return []
      return [mutant("check", { file, start, end, to: "false" }, text)]
    })

const inFiles =
  (pattern: RegExp, find: (file: string, text: string) => ReadonlyArray<Mutant>) =>
  (file: string, text: string): ReadonlyArray<Mutant> =>
    pattern.test(file) ? find(file, text) : []

const engine = /^src\/internal\/engine\//
const lockFile = /NodeDirectoryLock/

const finders: ReadonlyArray<(file: string, text: string) => ReadonlyArray<Mutant>> = [
  inFiles(
    engine,
    replaced(
      "sync",
      /(?:\bthis\.)?\b(?:[a-z]\w*(?:\(\))?\.)*(?:file|marker|made|manifest|log|table)\.sync\b/g,
      "Effect.void"
    )
  ),
  inFiles(engine, calls("sync", /\b(?:this\.parts\.)?disk\.syncDirectory\(/g, "Effect.void")),
  inFiles(engine, calls("sync", /\bthis\.syncOr\(/g, "Effect.void")),
  inFiles(engine, replaced("sync", /\bthis\.parts\.wal\.sync\b|\byield\* wal\.seal\b/g, "Effect.void")),
  inFiles(/^src\/internal\/(?!format\/(?:bytes|formatError|keyspace|varint)\.)/, checks),
  inFiles(
    engine,
    replaced("poison", /\bthis\.(?:poison|refusal) \?{0,2}= (?!fail|undefined|closed)[^\n;]+/g, "void 0")
  ),
  inFiles(/NodeFile|SimFile/, replaced("poison", /this\.#failedSync = error\b/g, "void 0")),
  // The first branch of the file is Windows' own, which no test here reaches.
  inFiles(lockFile, replaced("lock", /(?<=return rival\n\s*)listener\.hold\(\)/g, "void 0")),
  inFiles(lockFile, replaced("lock", /if \(living !== undefined\) \{/g, "if (false) {")),
  inFiles(
    lockFile,
    replaced(
      "lock",
      /return listener\.close|\(outcome\._tag === "Won" \? Effect\.void : listener\.close\)/g,
      "Effect.void"
    )
  ),
  inFiles(
    lockFile,
    replaced("lock", /if \(!\(yield\* lockNames\(place\.directory\)\)\.some\([^\n]+\)\) return rival/g, "")
  ),
  inFiles(/openDirectory/, replaced("lock", /yield\* takeLock\(options\)/g, "yield* Effect.void"))
]

interface Order {
  readonly file: string
  readonly name: string
  readonly from: RegExp
  readonly to: string
}

/** Expressions, not places: one that is found nowhere is reported, for then the code has changed under it. */
const orders: ReadonlyArray<Order> = [
  {
    file: "src/internal/engine/committer.ts",
    name: "commits are acknowledged before the sync",
    from: /this\.queue\.written\(group\)/,
    to: "this.queue.synced(group)"
  },
  {
    file: "src/internal/engine/commitQueue.ts",
    name: "a visible commit is not indexed",
    from: /this\.index\(ticket, ticket\.sequence\)\n/,
    to: "\n"
  },
  {
    file: "src/internal/engine/flusher.ts",
    name: "the log is removed before the manifest names the table",
    from: /( +)yield\* manifest\.publish\(/,
    to: "$1yield* wal.removeBelow(segment)\n$1yield* manifest.publish("
  },
  {
    file: "src/internal/engine/recovery.ts",
    name: "what was replayed is not written again",
    from: /wal\.start\(contentOf\(oldest!\)\)/,
    to: "wal.start([])"
  },
  {
    file: "src/internal/engine/recovery.ts",
    name: "the tables that a replay made are not named",
    from: /this\.flushed\.push\(table\)/,
    to: "void table"
  },
  {
    file: "src/internal/engine/recovery.ts",
    name: "sequences go on below the reservation",
    from: /Math\.max\(lastSequence, state\.sequencesReserved\)/,
    to: "lastSequence"
  },
  {
    file: "src/internal/engine/manifestWriter.ts",
    name: "a manifest is removed though its marker is there",
    from: /markers\.size === 0 \? removeAll/,
    to: "true ? removeAll"
  },
  {
    file: "src/internal/engine/logWriter.ts",
    name: "a torn segment is appended to",
    from: /else this\.left = true\n/,
    to: "else void 0\n"
  },
  {
    file: "src/internal/engine/logWriter.ts",
    name: "an append that was accepted and failed is called definite",
    from: /if \(accepted >= write\.bytes\)/,
    to: "if (false)"
  },
  {
    file: "src/internal/engine/obsoleteFiles.ts",
    name: "files are removed after a failed sync",
    from: / \|\| this\.committer\.refusal\?\.reason\._tag === "Poisoned"/,
    to: ""
  },
  {
    file: "src/internal/engine/openFiles.ts",
    name: "a file is closed while it is used",
    from: /this\.next\(\(\{ state \}\) => state\.users === 0\)/,
    to: "this.next(() => true)"
  },
  {
    file: "src/internal/structure/retention.ts",
    name: "versions that a snapshot sees are dropped",
    from: /this\.isFirstOfKey = !this\.kept/,
    to: "if (this.kept) return false\n    this.isFirstOfKey = true"
  }
]

const ordered = (
  sources: Sources
): { readonly found: ReadonlyArray<Mutant>; readonly missing: ReadonlyArray<string> } => {
  const missing: Array<string> = []
  const found = orders.flatMap(({ file, from, name, to }) => {
    const text = sources.get(file)
    const match = text === undefined ? null : from.exec(text)
    if (text === undefined || match === null) {
      missing.push(`${file}: ${name}`)
      return []
    }
    const edit = { file, start: match.index, end: match.index + match[0].length, to: match[0].replace(from, to) }
    return [{ ...mutant("order", edit, text), was: name }]
  })
  return { found, missing }
}

/** All mutants of the sources, and the names of those whose code is not there any more. */
export const findMutants = (sources: Sources) => {
  const found = [...sources].flatMap(([file, text]) => finders.flatMap((find) => find(file, text)))
  const byName = ordered(sources)
  // Patterns may meet at one place.
  const places = new Map([...found, ...byName.found].map((one) => [`${one.file}:${one.edits[0]!.start}`, one]))
  return { mutants: [...places.values()], missing: byName.missing }
}

/** The file's text with the edits made. */
export const applyEdits = (text: string, edits: ReadonlyArray<Edit>): string =>
  [...edits]
    .sort((a, b) => b.start - a.start)
    .reduce((result, { end, start, to }) => result.slice(0, start) + to + result.slice(end), text)
