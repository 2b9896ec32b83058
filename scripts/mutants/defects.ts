// What the campaigns must notice within a minute: disks that lie about a sync, and bugs. Each is a patch of the
// sources; one whose code is not found any more is an error: look at its pattern.
import type { Sources } from "./find.ts"
import { everywhere, type Planted, plantedBugs } from "./planted.ts"

export interface Defect extends Planted {
  /**
   * On a disk of the machine. Its system has what it was given, synced or not, whatever becomes of the process: no
   * campaign of killed processes can see that a sync is missing, so the tests of the disk, which count them, must.
   */
  readonly isOfMachine: boolean
  /** Who must notice. Default: the campaigns that are quick to notice what is lost. */
  readonly campaigns?: ReadonlyArray<string>
}

/** Which of the planted bugs, by the names that they have here. */
const named: ReadonlyArray<readonly [name: string, planted: string]> = [
  ["acknowledged before sync", "acknowledged before sync"],
  ["visible before sync, acknowledged after", "visible before sync"],
  ["no directory sync", "no directory sync"],
  ["tombstone dropped early", "tombstone lost at flush"],
  ["checksum unchecked", "accept a bad checksum"]
]

export const defectsOf = (sources: Sources): ReadonlyArray<Defect> => {
  const planted = plantedBugs(sources)
  const defects: ReadonlyArray<Defect> = [
    {
      name: "SimDisk lies about the sync of files",
      edits: everywhere(sources, /layers\/SimFile\.ts$/, [[/this\.#file\.sync\(\)/g, "void 0"]]),
      isOfMachine: false
    },
    {
      name: "SimDisk lies about the sync of directories",
      edits: everywhere(sources, /layers\/SimDisk\.ts$/, [[/\bfiles\.syncDirectory\(directory\)$/gm, "void 0"]]),
      isOfMachine: false
    },
    {
      name: "NodeDisk lies about the sync of files",
      edits: everywhere(sources, /layers\/NodeFile\.ts$/, [[/fs\.fdatasync\(descriptor\.fd, done\)/g, "done(null)"]]),
      isOfMachine: true
    },
    {
      name: "NodeDisk lies about the sync of directories",
      edits: everywhere(sources, /layers\/NodeDisk\.ts$/, [
        [/fs\.fsync\(fd, /g, "((_: number, told: (error: null) => void) => told(null))(fd, "]
      ]),
      isOfMachine: true
    },
    ...named.map(([name, wanted]) => {
      const { edits } = planted.find((bug) => bug.name === wanted)!
      return { name, edits, isOfMachine: false }
    }),
    {
      name: "expired dropped instead of made a removal",
      edits: everywhere(sources, /structure\/retention\.ts$/, [
        [/(entry\.expiresAt <= this\.nowMillis\)) toRemoval\(entry\)/g, "$1 return false"]
      ]),
      isOfMachine: false,
      campaigns: ["clock"]
    },
    {
      name: "tombstone dropped early, before kills",
      edits: planted.find(({ name }) => name === "tombstone lost at flush")!.edits,
      isOfMachine: false,
      campaigns: ["kills"]
    },
    {
      name: "range conflict ignored",
      edits: everywhere(sources, /layers\/LocalOracle\.ts$/, [
        [/this\.conflicts\.writtenSince\(range, since\)/g, "0 * since"]
      ]),
      isOfMachine: false
    }
  ]
  for (const { edits, name } of defects) if (edits.length === 0) throw new Error(`${name}: nothing to patch was found`)
  return defects
}
