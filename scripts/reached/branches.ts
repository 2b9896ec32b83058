// Which code no process has run, from what V8 writes where `NODE_V8_COVERAGE` says.
//
// V8 counts how often each block of a function ran: a function, the parts of an `if`, of a `?:` and of a `switch`, the
// right side of `&&`, `||` and `??`, and what follows a jump. A block may be a hole in a larger one, so the innermost
// that holds a place tells of it. The sources run as they are, their types replaced by as many blanks, so that a place
// in the one is the same place in the other. What V8 does not count is an `if` that never was false, where nothing
// follows a jump: no `else` is there to be unreached.

import { stripTypeScriptTypes } from "node:module"

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

export interface Script {
  readonly functions: ReadonlyArray<{ readonly ranges: ReadonlyArray<Range> }>
}

/** Code that was not run. */
export interface Unreached {
  readonly line: number
  /** Its first line, with a mark where it begins: that names it. */
  readonly code: string
}

/** Where a reason is made, or damage is found; the reasons are those of `services/DatabaseError.ts`. */
export const errorSites = (source: string): RegExp => {
  const reasons = [...source.matchAll(/^export class (\w+) extends Schema\.TaggedError/gm)].map(([, name]) => name!)
  return new RegExp(String.raw`\bnew (?:FormatError|${reasons.join("|")})\(|\binvalid\(`, "g")
}

/** What ran of one file, learnt from one process after the other. */
export class Reached {
  private readonly text: string
  /** Blanks where types and comments are. */
  private readonly code: string
  private readonly places: Uint8Array

  constructor(text: string) {
    this.text = text
    this.code = withoutComments(stripTypeScriptTypes(text))
    this.places = new Uint8Array(text.length)
  }

  learn({ functions }: Script): void {
    const ranges = functions.flatMap(({ ranges }) => ranges)
    // From the outermost to the innermost.
    ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
    const places = new Uint8Array(this.text.length)
    for (const { count, endOffset, startOffset } of ranges) places.fill(count > 0 ? 1 : 0, startOffset, endOffset)
    for (let at = 0; at < places.length; at++) this.places[at]! |= places[at]!
  }

  /** A function that does nothing is never missed. */
  unreached(): ReadonlyArray<Unreached> {
    const { code } = this
    const found: Array<Unreached> = []
    for (let start = this.places.indexOf(0); start >= 0;) {
      const next = this.places.indexOf(1, start)
      const end = next < 0 ? this.places.length : next
      const first = start + code.slice(start, end).search(/[^\s{}()[\];:?,=>]/)
      if (first >= start) found.push(placeOf(this.text, first))
      start = next < 0 ? -1 : this.places.indexOf(0, next)
    }
    return found
  }

  /** Those of the places that a pattern finds. */
  unreachedOf(pattern: RegExp): ReadonlyArray<Unreached> {
    const { code } = this
    return [...code.matchAll(pattern)]
      .filter(({ index }) => this.places[index] === 0)
      .map(({ index }) => placeOf(this.text, index))
  }
}

/** Blanks in their place. */
const withoutComments = (text: string): string =>
  text.replaceAll(/\/\/[^\n]*|\/\*[^]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, " "))

/** As much of a line as names a place in it: what stands before the mark, if that is not much, and what follows. */
const shownLength = { before: 60, all: 90 }

const placeOf = (text: string, offset: number): Unreached => {
  const start = text.lastIndexOf("\n", offset) + 1
  const end = text.indexOf("\n", offset)
  const before = text.slice(start, offset).trimStart().slice(-shownLength.before)
  const marked = `${before}«${text.slice(offset, end < 0 ? undefined : end)}`
  return { line: text.slice(0, offset).split("\n").length, code: marked.slice(0, shownLength.all).trimEnd() }
}
