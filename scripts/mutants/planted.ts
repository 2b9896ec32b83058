// Five bugs that a log-structured engine may have, planted as patches of the sources. Each must show within 2,000
// images.
import { applyEdits, type Edit, type Sources } from "./find.ts"

export interface Planted {
  readonly name: string
  readonly edits: ReadonlyArray<Edit>
}

/** The edits that replace each of the patterns wherever it is in the files. */
export const everywhere = (
  sources: Sources,
  files: RegExp,
  patterns: ReadonlyArray<readonly [RegExp, string]>
): ReadonlyArray<Edit> =>
  [...sources]
    .filter(([file]) => files.test(file))
    .flatMap(([file, text]) =>
      patterns.flatMap(([pattern, to]) =>
        [...text.matchAll(pattern)].map((match) => ({
          file,
          start: match.index,
          end: match.index + match[0].length,
          to: match[0].replace(new RegExp(pattern.source), to)
        }))
      )
    )

/** The bugs. One whose code is not found any more is an error: look at its pattern. */
export const plantedBugs = (sources: Sources): ReadonlyArray<Planted> => {
  const engine = /^src\/internal\/engine\//
  const bugs: ReadonlyArray<Planted> = [
    {
      name: "no log sync",
      edits: everywhere(sources, /engine\/logWriter\.ts$/, [[/this\.segment\(\)\.file\.sync/g, "Effect.void"]])
    },
    {
      name: "no directory sync",
      edits: everywhere(sources, engine, [[/\b(?:this\.parts\.)?disk\.syncDirectory\([\w.]+\)/g, "Effect.void"]])
    },
    {
      name: "apply before sync",
      edits: everywhere(sources, /engine\/committer\.ts$/, [
        [/this\.queue\.written\(group\)/g, "this.queue.synced(group)"]
      ])
    },
    {
      name: "accept a bad checksum",
      edits: everywhere(sources, /format\/sealer\.ts$/, [
        [/readU32\(tag, 0\) !== crc32\(body, crc32\(associated\)\)/g, "false"],
        [/readU32\(bytes, end\) === crc32Range\(bytes, start, end\)/g, "true"]
      ])
    },
    {
      name: "tombstone lost at flush",
      edits: everywhere(sources, /structure\/retention\.ts$/, [
        [/(this\.isFirstOfKey = !this\.kept\n)/g, "if (entry.kind === Kind.remove) return false\n    $1"]
      ])
    }
  ]
  for (const { edits, name } of bugs) if (edits.length === 0) throw new Error(`${name}: nothing to patch was found`)
  return bugs
}

/** The sources that the edits change, changed. */
export const patched = (sources: Sources, edits: ReadonlyArray<Edit>): ReadonlyMap<string, string> => {
  const files = new Set(edits.map(({ file }) => file))
  return new Map(
    [...files].map((file) => [
      file,
      applyEdits(
        sources.get(file)!,
        edits.filter((edit) => edit.file === file)
      )
    ])
  )
}
