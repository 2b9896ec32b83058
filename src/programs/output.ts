// Standard output of a command: bytes as they are, and pieces of text joined so that a scan of small entries is not a
// system call a line.
import type * as Effect from "effect/Effect"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { type CommandFailed, errnoOf, failed, OutputClosed, platformText } from "./failure.ts"

/** A piece is written when it is this long. Pipes hold 64 KiB. */
const pieceCharactersMin = 32 * 1024

/** Writes everything, at the reader's speed. */
export const write = <E, R>(
  pieces: Stream.Stream<string | Uint8Array, E, R>
): Effect.Effect<void, E | CommandFailed | OutputClosed, R | Stdio.Stdio> =>
  Stdio.Stdio.use((stdio) =>
    Stream.run(
      pieces,
      Sink.mapError(stdio.stdout(), (error) =>
        errnoOf(error) === "EPIPE" ? new OutputClosed() : failed(`standard output: ${platformText(error)}`)
      )
    )
  )

export const writeLine = (text: string): Effect.Effect<void, CommandFailed | OutputClosed, Stdio.Stdio> =>
  write(Stream.succeed(`${text}\n`))

export const writeJson = (value: unknown): Effect.Effect<void, CommandFailed | OutputClosed, Stdio.Stdio> =>
  writeLine(JSON.stringify(value))

/** Each element as a line. */
export const writeLines = <A, E, R>(
  stream: Stream.Stream<A, E, R>,
  line: (element: A) => string
): Effect.Effect<void, E | CommandFailed | OutputClosed, R | Stdio.Stdio> =>
  write(
    Stream.mapArray(stream, (elements) => {
      let piece = `${line(elements[0])}\n`
      const pieces: [string, ...Array<string>] = [piece]
      for (let index = 1; index < elements.length; index += 1) {
        if (piece.length >= pieceCharactersMin) {
          piece = ""
          pieces.push(piece)
        }
        piece += `${line(elements[index]!)}\n`
        pieces[pieces.length - 1] = piece
      }
      return pieces
    })
  )
