// Standard input as a value. How long it is nobody knows before its end: what is short is read to it, and of what is
// longer there is a piece in memory, while the database writes it.
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { concatBytes } from "../internal/format/bytes.ts"
import { type CommandFailed, failed, platformText } from "./failure.ts"
import { HexReader } from "./text.ts"

/** A value that is there, or one that comes; that one is to be read once, while the scope is open. */
export type Input = Uint8Array | Stream.Stream<Uint8Array, CommandFailed>

export interface InputLimits {
  /** More is refused. */
  readonly bytesMax: number
  /** More is not read before it is asked for. */
  readonly wholeBytesMax: number
}

const limited = (bytesMax: number) => {
  let length = 0
  return Stream.mapEffect((piece: Uint8Array) => {
    length += piece.length
    return length > bytesMax
      ? Effect.fail(failed(`standard input is over the value limit of ${bytesMax} bytes`))
      : Effect.succeed(piece)
  })
}

/** All of standard input, or a stream of it. */
export const read = Effect.fnUntraced(function* ({ bytesMax, wholeBytesMax }: InputLimits) {
  const { stdin } = yield* Stdio.Stdio
  const pull = yield* stdin.pipe(
    Stream.mapError((error) => failed(`standard input: ${platformText(error)}`)),
    limited(bytesMax),
    Stream.toPull
  )
  const first: Array<Uint8Array> = []
  let length = 0
  while (length <= wholeBytesMax) {
    const pieces = yield* Pull.catchDone(pull, () => Effect.succeed(undefined))
    if (pieces === undefined) return concatBytes(first)
    first.push(...pieces)
    length += pieces.reduce((sum, piece) => sum + piece.length, 0)
  }
  return Stream.concat(Stream.fromIterable(first), Stream.fromPull(Effect.succeed(pull)))
})

const orFailed = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? Effect.fail(failed("standard input is not hexadecimal")) : Effect.succeed(bytes)

/** The bytes that are written in a stream as hexadecimal. */
export const fromHex = <E, R>(
  stream: Stream.Stream<Uint8Array, E, R>
): Stream.Stream<Uint8Array, E | CommandFailed, R> =>
  Stream.suspend(() => {
    const reader = new HexReader()
    return Stream.concat(
      Stream.mapEffect(stream, (piece) => orFailed(reader.push(piece))),
      Stream.fromEffect(Effect.suspend(() => orFailed(reader.end())))
    )
  })
