// What the tidy rules ask of a source: its imports, its exports and its functions, found in the tokens. It knows the
// formatting of oxfmt (no semicolons, a body's brace on the line of its head) and so is no parser for TypeScript in
// general; `test/tidy.test.ts` proves each rule on snippets.
import { type Comment, lex, type Token } from "./lexer.ts"

export interface Import {
  readonly from: string
  readonly line: number
  /** `export ... from`. */
  readonly reexport: boolean
}

export interface Export {
  readonly name: string
  readonly line: number
  /** The comment directly before it, or "". */
  readonly doc: string
}

export interface FunctionShape {
  readonly name: string
  readonly line: number
  readonly lines: number
  /** Each parameter's tokens, without its default. `this` is none. */
  readonly parameters: ReadonlyArray<ReadonlyArray<Token>>
}

const opening = new Map([
  ["(", ")"],
  ["[", "]"],
  ["{", "}"]
])
const closing = new Set(opening.values())
const declarations = new Set([
  "const",
  "let",
  "class",
  "interface",
  "type",
  "function",
  "abstract",
  "async",
  "declare",
  "*"
])
const modifiers = new Set([
  "get",
  "set",
  "async",
  "static",
  "private",
  "protected",
  "public",
  "override",
  "*",
  "{",
  "}",
  ","
])
const notMethods = new Set(["if", "for", "while", "switch", "catch", "with", "function"])

export class Source {
  readonly path: string
  readonly lines: ReadonlyArray<string>
  readonly tokens: ReadonlyArray<Token>
  readonly comments: ReadonlyArray<Comment>
  /** For each bracket, the index of its partner. */
  private readonly partner: ReadonlyMap<number, number>

  constructor(path: string, text: string) {
    this.path = path
    this.lines = text.replace(/\n$/, "").split("\n")
    const { comments, tokens } = lex(text)
    this.tokens = tokens
    this.comments = comments
    this.partner = partners(tokens)
  }

  /**
   * "src/layers" of "src/layers/NodeDisk.ts", "src/internal/format" of "src/internal/format/a/b.ts", "src" of
   * "src/index.ts".
   */
  get folder(): string {
    return folderOf(this.path)
  }

  text(index: number): string {
    const token = this.tokens[index]
    return token === undefined || token.kind === "string" ? "" : token.text
  }

  /** Whether the tokens from `index` on are these words and marks; `""` is any string literal. */
  matches(index: number, ...texts: ReadonlyArray<string>): boolean {
    return texts.every((text, at) => {
      const token = this.tokens[index + at]
      return text === "" ? token?.kind === "string" : token?.kind !== "string" && token?.text === text
    })
  }

  /** Indexes at which `matches` holds. */
  find(...texts: ReadonlyArray<string>): ReadonlyArray<number> {
    return [...this.tokens.keys()].filter((index) => this.matches(index, ...texts))
  }

  imports(): ReadonlyArray<Import> {
    const found: Array<Import> = []
    const add = (index: number, reexport: boolean) =>
      found.push({ from: this.tokens[index]!.text, line: this.tokens[index]!.line, reexport })
    for (const index of this.tokens.keys()) {
      if (this.text(index - 1) === ".") continue
      if (this.matches(index, "import", "(", "")) add(index + 2, false)
      else if (this.matches(index, "import", "")) add(index + 1, false)
      else if (this.text(index) === "import" && this.startsStatement(index)) {
        const from = this.clauseEnd(index + 1)
        if (from !== undefined) add(from, false)
      } else if (this.text(index) === "export") {
        const start = this.text(index + 1) === "type" ? index + 2 : index + 1
        const from = this.matches(start, "{") || this.matches(start, "*") ? this.clauseEnd(start) : undefined
        if (from !== undefined) add(from, true)
      }
    }
    return found
  }

  exports(): ReadonlyArray<Export> {
    return this.find("export")
      .filter((index) => this.tokens[index]!.indent === 0 && this.text(index + 1) !== "*")
      .filter((index) => declarations.has(this.text(index + 1)))
      .map((index) => {
        let name = index + 1
        while (declarations.has(this.text(name)) && !this.matches(name + 1, "=")) name += 1
        const doc = this.comments.findLast((comment) => comment.before === index)
        return { name: this.text(name), line: this.tokens[index]!.line, doc: doc?.text ?? "" }
      })
  }

  functions(): ReadonlyArray<FunctionShape> {
    return [...this.tokens.keys()].flatMap(
      (index) => this.declared(index) ?? this.arrow(index) ?? this.method(index) ?? []
    )
  }

  private startsStatement(index: number): boolean {
    return this.tokens[index]!.first && this.tokens[index]!.indent === 0
  }

  /** The string after `from` of an import or export clause that begins at `index`. */
  private clauseEnd(index: number): number | undefined {
    let at = index
    while (at < index + 6 && !this.matches(at, "from", ""))
      at = (this.text(at) === "{" ? this.partner.get(at)! : at) + 1
    return this.matches(at, "from", "") ? at + 1 : undefined
  }

  private declared(index: number): FunctionShape | undefined {
    if (this.text(index) !== "function" || this.text(index - 1) === ".") return undefined
    let open = index + 1
    while (open < this.tokens.length && this.text(open) !== "(") open += 1
    const body = this.bodyAfter(this.partner.get(open)!)
    if (body === undefined) return undefined // an overload
    const name = this.text(index + 1) === "*" ? this.text(index + 2) : this.text(index + 1)
    return this.shape(
      name === "(" || name === "<" ? this.nameBefore(index) : name,
      index,
      open,
      this.partner.get(body)!
    )
  }

  private arrow(index: number): FunctionShape | undefined {
    if (this.text(index) !== "=>") return undefined
    const close = this.parametersBefore(index)
    const open = close === undefined ? index - 1 : this.partner.get(close)!
    const end = this.text(index + 1) === "{" ? this.partner.get(index + 1)! : this.expressionEnd(index)
    return this.shape(this.nameBefore(open), open, open, end)
  }

  private method(index: number): FunctionShape | undefined {
    const token = this.tokens[index]!
    const isComputed = token.text === "[" && token.kind === "punctuation"
    if (!isComputed && (token.kind !== "word" || notMethods.has(token.text))) return undefined
    if (!token.first && !modifiers.has(this.text(index - 1))) return undefined
    let open = (isComputed ? this.partner.get(index)! : index) + 1
    if (this.text(open) === "<") while (open < index + 60 && this.text(open) !== "(") open += 1
    if (this.text(open) !== "(") return undefined
    const body = this.bodyAfter(this.partner.get(open)!)
    return body === undefined ? undefined : this.shape(token.text, index, open, this.partner.get(body)!)
  }

  /**
   * The brace of the body of a head whose parameters close at `close`; none if there is no body, as in an interface.
   */
  private bodyAfter(close: number): number | undefined {
    let at = close + 1
    if (this.text(at) === "{") return this.tokens[at]!.first ? undefined : at
    if (this.text(at) !== ":" || this.tokens[at]!.first) return undefined
    at += 1
    // A brace is part of the type where a type must follow; after a whole type, on the same line, it is the body.
    for (let whole = false; at < this.tokens.length; at += 1) {
      const text = this.text(at)
      if (text === "{" && whole) return at
      if (this.tokens[at]!.first && whole && !/^[|&>\])},]$/.test(text)) return undefined
      if (closing.has(text) || text === "," || text === ";" || text === "=") return undefined
      if (text === "<") at = this.angleEnd(at)
      else if (opening.has(text)) at = this.partner.get(at)!
      const last = this.text(at)
      whole =
        last !== "|" &&
        last !== "&" &&
        last !== "." &&
        last !== "=>" &&
        !/^(?:is|asserts|keyof|typeof|readonly|extends)$/.test(last)
    }
    return undefined
  }

  /** The `>` of a list of type arguments. */
  angleEnd(open: number): number {
    let depth = 0
    let at = open
    for (; at < this.tokens.length; at += 1) {
      if (this.text(at) === "<") depth += 1
      else if (this.text(at) === ">") depth -= 1
      else if (opening.has(this.text(at))) at = this.partner.get(at)!
      if (depth === 0) break
    }
    return at
  }

  /** The `)` of an arrow function's parameters; none if it has one bare parameter. */
  private parametersBefore(arrow: number): number | undefined {
    for (let at = arrow - 1; at > arrow - 200 && at >= 0; at -= 1) {
      const text = this.text(at)
      if (text === ")" && (at === arrow - 1 || this.text(at + 1) === ":")) return at
      if (text === ">") at = this.angleStart(at)
      else if (closing.has(text)) at = this.partner.get(at)!
      else if (opening.has(text) || text === "," || text === "=" || text === "=>") return undefined
    }
    return undefined
  }

  private angleStart(close: number): number {
    let depth = 0
    let at = close
    for (; at >= 0; at -= 1) {
      if (this.text(at) === ">") depth += 1
      else if (this.text(at) === "<") depth -= 1
      else if (closing.has(this.text(at))) at = this.partner.get(at)!
      if (depth === 0) break
    }
    return at
  }

  /**
   * An arrow's expression ends before a bracket it did not open, a comma outside brackets, or a line that is indented
   * no deeper than its first.
   */
  private expressionEnd(arrow: number): number {
    const indent = this.tokens[arrow]!.indent
    for (let at = arrow + 1; at < this.tokens.length; at += 1) {
      const { first, indent: column } = this.tokens[at]!
      const text = this.text(at)
      if (closing.has(text) || text === "," || text === ";" || (first && column <= indent)) return at - 1
      if (opening.has(text)) at = this.partner.get(at)!
    }
    return this.tokens.length - 1
  }

  /** The variable or property that a function expression is given to. */
  private nameBefore(index: number): string {
    for (let at = index - 1; at > index - 40 && at > 0; at -= 1) {
      if (this.tokens[at]!.line < this.tokens[index]!.line - 1) break
      if (/^(?:const|let|readonly)$/.test(this.text(at))) return this.text(at + 1)
      if (this.text(at) === ":" && this.tokens[at - 1]!.first) return this.text(at - 1)
    }
    return "a function"
  }

  private shape(name: string, start: number, open: number, end: number): FunctionShape {
    const line = this.tokens[start]!.line
    const lines = this.tokens[end]!.line - line + 1
    return { name, line, lines, parameters: this.text(open) === "(" ? this.parameters(open) : [[this.tokens[open]!]] }
  }

  private parameters(open: number): ReadonlyArray<ReadonlyArray<Token>> {
    const close = this.partner.get(open)!
    const found: Array<Array<Token>> = []
    let current: Array<Token> = []
    let inDefault = false
    const take = () => {
      if (current.length > 0 && current[0]!.text !== "this") found.push(current)
      current = []
      inDefault = false
    }
    for (let at = open + 1; at < close; at += 1) {
      const text = this.text(at)
      if (text === "<" && !inDefault) at = this.angleEnd(at)
      else if (opening.has(text)) at = this.partner.get(at)!
      if (text === ",") take()
      else if (text === "=") inDefault = true
      else if (!inDefault) current.push(this.tokens[at]!)
    }
    take()
    return found
  }
}

const folderOf = (path: string): string => {
  const parts = path.split("/").slice(0, -1)
  return parts.slice(0, parts[0] === "src" && parts[1] === "internal" ? 3 : 2).join("/")
}

/** The path that a relative import names. */
export const resolve = (path: string, from: string): string => {
  const parts = path.split("/").slice(0, -1)
  for (const part of from.split("/")) {
    if (part === "..") parts.pop()
    else if (part !== ".") parts.push(part)
  }
  return parts.join("/")
}

/** The layer of the house that a file belongs to. */
export const houseOf = (path: string): string => folderOf(path).replace(/^src\//, "")

const partners = (tokens: ReadonlyArray<Token>): ReadonlyMap<number, number> => {
  const found = new Map<number, number>()
  const open: Array<number> = []
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== "punctuation") continue
    if (opening.has(token.text)) open.push(index)
    if (!closing.has(token.text)) continue
    const start = open.pop()
    if (start === undefined || opening.get(tokens[start]!.text) !== token.text) {
      throw new Error(`line ${token.line}: ${token.text} closes nothing`)
    }
    found.set(start, index)
    found.set(index, start)
  }
  if (open.length > 0) throw new Error(`line ${tokens[open.at(-1)!]!.line}: a bracket is not closed`)
  return found
}
