// A small lexer for this repository's TypeScript: enough to tell code from comments, strings, templates and regular
// expressions, which is what the rules of `test/tidy.test.ts` need. TypeScript 7 has no stable compiler API.
// Punctuation comes one character a token, except `=>` and `...`.

export type TokenKind = "word" | "number" | "string" | "template" | "regex" | "punctuation"

export interface Token {
  readonly kind: TokenKind
  /** As written; of a string, what stands between the quotes; of a template's pieces, nothing. */
  readonly text: string
  /** From 1. */
  readonly line: number
  /** The first token of its line. */
  readonly first: boolean
  /** Columns before the line's first character that is not a space. */
  readonly indent: number
}

export interface Comment {
  readonly text: string
  readonly line: number
  readonly endLine: number
  /** Index of the token that follows it. */
  readonly before: number
}

export interface Lexed {
  readonly tokens: ReadonlyArray<Token>
  readonly comments: ReadonlyArray<Comment>
}

// After these words a `/` begins a regular expression; after any other word it divides.
const beforeOperand = new Set([
  "return",
  "typeof",
  "case",
  "in",
  "of",
  "new",
  "delete",
  "void",
  "throw",
  "else",
  "yield",
  "await",
  "do",
  "instanceof"
])

class Lexer {
  readonly tokens: Array<Token> = []
  readonly comments: Array<Comment> = []
  private readonly source: string
  private position = 0
  private line = 1
  private lineStart = 0
  private tokenLine = 0
  // One entry for every open `{`: whether it is the `${` of a template.
  private readonly braces: Array<boolean> = []

  constructor(source: string) {
    this.source = source
  }

  run(): Lexed {
    if (this.source.startsWith("#!")) this.position = this.lineEnd()
    while (this.position < this.source.length) this.step()
    return { tokens: this.tokens, comments: this.comments }
  }

  private step(): void {
    const { position, source } = this
    const char = source[position]!
    if (char === "\n") {
      this.position += 1
      this.newLine()
    } else if (/\s/.test(char)) this.position += 1
    else if (source.startsWith("//", position)) this.comment(this.lineEnd())
    else if (source.startsWith("/*", position)) this.comment(this.endOf("*/", position + 2))
    else if (char === '"' || char === "'") this.string(char)
    else if (char === "`" || (char === "}" && this.braces.at(-1) === true)) this.template(char)
    else if (char === "/" && this.regexAllowed())
      this.take("regex", /(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])*\/[a-z]*/y, 1)
    else if (/[\p{ID_Start}$_#@]/u.test(char)) this.take("word", /[\p{ID_Continue}$\u200c\u200d]*/uy, 1)
    else if (/[0-9]/.test(char)) this.take("number", /(?:[eE][+-]|[\w.])*/y, 1)
    else this.punctuation(char)
  }

  private newLine(): void {
    this.line += 1
    this.lineStart = this.position
  }

  private lineEnd(): number {
    const end = this.source.indexOf("\n", this.position)
    return end < 0 ? this.source.length : end
  }

  private endOf(mark: string, from: number): number {
    const at = this.source.indexOf(mark, from)
    if (at < 0) throw new Error(`line ${this.line}: no ${mark}`)
    return at + mark.length
  }

  /** Moves over a text that may hold line ends. */
  private moveTo(end: number): void {
    for (
      let at = this.source.indexOf("\n", this.position);
      at >= 0 && at < end;
      at = this.source.indexOf("\n", at + 1)
    ) {
      this.position = at + 1
      this.newLine()
    }
    this.position = end
  }

  private comment(end: number): void {
    const { line, position } = this
    this.moveTo(end)
    this.comments.push({ text: this.source.slice(position, end), line, endLine: this.line, before: this.tokens.length })
  }

  private push(kind: TokenKind, text: string): void {
    const before = this.source.slice(this.lineStart)
    this.tokens.push({ kind, text, line: this.line, first: this.tokenLine !== this.line, indent: before.search(/\S/) })
    this.tokenLine = this.line
  }

  private take(kind: TokenKind, rest: RegExp, skip: number): void {
    rest.lastIndex = this.position + skip
    const match = rest.exec(this.source)
    if (match === null) throw new Error(`line ${this.line}: no end of ${kind}`)
    this.push(kind, this.source.slice(this.position, rest.lastIndex))
    this.position = rest.lastIndex
  }

  private string(quote: string): void {
    let end = this.position + 1
    while (this.source[end] !== quote) {
      if (end >= this.source.length || this.source[end] === "\n") throw new Error(`line ${this.line}: no end of string`)
      end += this.source[end] === "\\" ? 2 : 1
    }
    this.push("string", this.source.slice(this.position + 1, end))
    this.position = end + 1
  }

  /** From a backtick, or the brace that closes a `${`, to the next `${` or the last backtick. */
  private template(opening: string): void {
    if (opening === "}") {
      this.braces.pop()
      this.push("punctuation", "}")
    } else this.push("template", "")
    let end = this.position + 1
    while (this.source[end] !== "`" && !this.source.startsWith("${", end)) {
      if (end >= this.source.length) throw new Error(`line ${this.line}: no end of template`)
      end += this.source[end] === "\\" ? 2 : 1
    }
    this.moveTo(end)
    if (this.source[end] === "`") {
      this.position = end + 1
      return
    }
    this.push("punctuation", "{")
    this.braces.push(true)
    this.position = end + 2
  }

  private punctuation(char: string): void {
    const text = ["=>", "..."].find((two) => this.source.startsWith(two, this.position)) ?? char
    if (char === "{") this.braces.push(false)
    if (char === "}") this.braces.pop()
    this.push("punctuation", text)
    this.position += text.length
  }

  private regexAllowed(): boolean {
    let last = this.tokens.at(-1)
    const before = this.tokens.at(-2)
    // `a! / b`: the `!` after an operand changes nothing.
    if (last?.text === "!" && before !== undefined && (before.kind === "word" || /^[)\]]$/.test(before.text)))
      last = before
    if (last === undefined) return true
    if (last.kind === "punctuation") return last.text !== ")" && last.text !== "]" && last.text !== "}"
    return last.kind === "word" && beforeOperand.has(last.text)
  }
}

/**
 * Tokens and comments of a source. Throws on one that ends inside a comment, string, template or regular expression.
 */
export const lex = (source: string): Lexed => new Lexer(source).run()
