// Bugs that a log-structured engine may have, planted as patches of the sources. Each must show within 2,000 images of
// power cuts, or in the test of what readers see.
import { applyEdits, type Edit, type Sources } from "./find.ts"

export interface Planted {
  readonly name: string
  readonly edits: ReadonlyArray<Edit>
  /** Nobody reads before the images' power cuts: the test of what readers see must notice. */
  readonly isOfReaders?: boolean
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

/** What is in the log is read at once, and acknowledged after its sync, as it should be. */
const visibleBeforeSync = (sources: Sources): ReadonlyArray<Edit> => {
  const visible = [
    "written(group: Group): void {",
    "for (const ticket of group.tickets) {",
    '  if (ticket.state !== "writing" || ticket.bytes === 0) continue',
    "  this.index(ticket)",
    "  this.oracle.publish(ticket.sequence)",
    "  early.add(ticket)",
    "}"
  ]
  const edits = everywhere(sources, /engine\/commitQueue\.ts$/, [
    [/^export class CommitQueue \{$/gm, "const early = new WeakSet<Ticket>()\n\nexport class CommitQueue {"],
    [/\bwritten\(group: Group\): void \{/g, visible.join("\n    ")],
    [/if \(ticket\.bytes > 0\) (\{\n\s+this\.index\(ticket\))/g, "if (ticket.bytes > 0 && !early.has(ticket)) $1"]
  ])
  if (edits.length !== 3) throw new Error("visible before sync: the code is another")
  return edits
}

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
      name: "acknowledged before sync",
      edits: everywhere(sources, /engine\/committer\.ts$/, [
        [/this\.queue\.written\(group\)/g, "this.queue.synced(group)"]
      ])
    },
    {
      name: "visible before sync",
      edits: visibleBeforeSync(sources),
      isOfReaders: true
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
