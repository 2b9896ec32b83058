// Files and directories as a page cache over a disk, so that a power cut can be simulated at any moment.
//
// A file is its bytes, of which a prefix is durable, and the appends not synced yet. A directory is its names, of which
// some are durable, and the operations on names not synced yet. Syncing a file makes its bytes durable and not its
// name; syncing a directory makes its names durable and not what is in the files. `crash` throws the dice over the rest
// and gives the image of a disk after the power cut; the files themselves go on as if nothing had happened.
//
// A sync that fails does one of three things (RELIABILITY.md §2.2), all of them seen in practice:
//   dropped   the bytes stay readable and never reach the disk, however often it is synced again (ext4, XFS)
//   reverted  the bytes are gone from the cache too (Btrfs)
//   written   the bytes are on the disk, and the error is about something else
import { type CrashOutcome, type Extent, survivingBytes, survivingOperations } from "./crashOutcome.ts"
import { type DirectoryNode, FileTree, GrowingBytes, listNames, type Place, type TreeNode } from "./fileTree.ts"
import type { SeededRandom } from "./random.ts"

export type SyncModel = "dropped" | "reverted" | "written"

const kinds: ReadonlyArray<Omit<CrashOutcome, "name">> = [
  { data: "none", size: "old", filler: "zeros", names: "none", sectorBytes: 512 },
  { data: "all", size: "new", filler: "zeros", names: "all", sectorBytes: 512 },
  { data: "none", size: "old", filler: "zeros", names: "all", sectorBytes: 512 },
  { data: "none", size: "new", filler: "zeros", names: "all", sectorBytes: 512 },
  { data: "none", size: "new", filler: "stale", names: "all", sectorBytes: 512 },
  { data: "none", size: "new", filler: "random", names: "all", sectorBytes: 512 },
  { data: "all", size: "new", filler: "zeros", names: "none", sectorBytes: 512 },
  { data: "all", size: "new", filler: "zeros", names: "prefix", sectorBytes: 512 },
  { data: "all", size: "new", filler: "zeros", names: "subset", sectorBytes: 512 },
  { data: "prefix", size: "old", filler: "zeros", names: "all", sectorBytes: 512 },
  { data: "prefix", size: "old", filler: "zeros", names: "subset", sectorBytes: 4096 },
  { data: "prefix", size: "new", filler: "zeros", names: "prefix", sectorBytes: 512 },
  { data: "prefix", size: "new", filler: "stale", names: "all", sectorBytes: 4096 },
  { data: "prefix", size: "new", filler: "random", names: "subset", sectorBytes: 512 },
  { data: "sectors", size: "old", filler: "zeros", names: "all", sectorBytes: 512 },
  { data: "sectors", size: "old", filler: "stale", names: "subset", sectorBytes: 512 },
  { data: "sectors", size: "new", filler: "zeros", names: "prefix", sectorBytes: 4096 },
  { data: "sectors", size: "new", filler: "stale", names: "all", sectorBytes: 512 },
  { data: "sectors", size: "new", filler: "random", names: "subset", sectorBytes: 4096 },
  { data: "any", size: "any", filler: "any", names: "any", sectorBytes: 512 },
  { data: "any", size: "any", filler: "any", names: "any", sectorBytes: 4096 }
]

/** The kinds of power cut every recovery test goes through. */
export const outcomes: ReadonlyArray<CrashOutcome> = kinds.map((kind) => {
  const { data, filler, names, sectorBytes, size } = kind
  return {
    name: `data ${data}, size ${size} with ${filler}, names ${names}, sector ${sectorBytes}`,
    data,
    filler,
    names,
    sectorBytes,
    size
  }
})

/** Removed files whose bytes may turn up in later ones. */
const staleFilesMax = 16

export class SimulatedFile {
  readonly content: GrowingBytes
  durableSize: number
  /** What a reader sees; less than was appended only after a reverted sync. */
  visibleSize: number
  pending: Array<Extent> = []
  lost: Array<Extent> = []
  /** Names it has in the cache. */
  nameCount = 1

  /** The first bytes are durable. */
  constructor(durable?: Uint8Array) {
    this.content = new GrowingBytes(durable)
    this.durableSize = this.content.size
    this.visibleSize = this.content.size
  }

  /** Not after a reverted sync: what an append to a hole does differs between file systems, and nobody may do it. */
  append(bytes: Uint8Array): void {
    if (this.visibleSize !== this.content.size) throw new Error("append to a file whose sync was reverted")
    if (bytes.length === 0) return
    const from = this.content.size
    this.content.append(bytes)
    this.visibleSize = this.content.size
    this.pending.push({ from, to: this.content.size })
  }

  sync(model: SyncModel = "written"): void {
    if (model === "written") {
      this.durableSize = this.pending.at(-1)?.to ?? this.durableSize
    } else {
      this.lost.push(...this.pending)
      if (model === "reverted") this.visibleSize = this.durableSize
    }
    this.pending = []
  }
}

type Node = TreeNode<SimulatedFile>

interface NameOperation {
  readonly name: string
  /** What the name means from now on; undefined if it is removed. */
  readonly node: Node | undefined
}

interface DirectoryState {
  readonly durable: Map<string, Node>
  pending: Array<NameOperation>
}

export class SimulatedFiles {
  readonly #tree = new FileTree<SimulatedFile>()
  readonly #states = new Map<DirectoryNode<SimulatedFile>, DirectoryState>()
  readonly #stale: Array<GrowingBytes> = []
  #bytes = 0

  /** All of the image is durable. Its arrays are used as they are and never written to. */
  constructor(image: ReadonlyMap<string, Uint8Array> = new Map()) {
    for (const [path, bytes] of image) {
      this.makeDirectory(`${path}/..`)
      this.#tree.create(path, new SimulatedFile(bytes))
      this.#bytes += bytes.length
    }
    this.#makeDurable(this.#tree.root)
  }

  /** Of all files that have a name. */
  get bytes(): number {
    return this.#bytes
  }

  makeDirectory(path: string): void {
    for (const place of this.#tree.makeDirectory(path)) this.#note(place)
  }

  directory(path: string): DirectoryNode<SimulatedFile> {
    return this.#tree.directory(path)
  }

  list(path: string) {
    return listNames(this.#tree.directory(path), (file) => file.visibleSize)
  }

  file(path: string): SimulatedFile {
    return this.#tree.file(path)
  }

  /** Every file that has a name, in the order of the names. */
  all(): ReadonlyArray<{ readonly path: string; readonly file: SimulatedFile }> {
    const found: Array<{ readonly path: string; readonly file: SimulatedFile }> = []
    const visit = (node: Node, path: string): void => {
      if (node.kind === "file") found.push({ path, file: node.file })
      else for (const name of [...node.names.keys()].sort()) visit(node.names.get(name)!, `${path}/${name}`)
    }
    visit(this.#tree.root, "")
    return found
  }

  create(path: string): SimulatedFile {
    const file = new SimulatedFile()
    this.#note(this.#tree.create(path, file))
    return file
  }

  append(file: SimulatedFile, bytes: Uint8Array): void {
    file.append(bytes)
    if (file.nameCount > 0) this.#bytes += bytes.length
  }

  link(from: string, to: string): void {
    const place = this.#tree.link(from, to)
    this.#tree.file(to).nameCount += 1
    this.#note(place)
  }

  remove(path: string): void {
    const { file, place } = this.#tree.remove(path)
    this.#note(place)
    file.nameCount -= 1
    if (file.nameCount > 0) return
    this.#bytes -= file.content.size
    this.#stale.push(file.content)
    if (this.#stale.length > staleFilesMax) this.#stale.shift()
  }

  /** A failed sync of a directory leaves its names as they are in the cache; with `written` they are durable. */
  syncDirectory(path: string, model: SyncModel = "written"): void {
    const state = this.#state(this.#tree.directory(path))
    if (model === "written") applyNames(state.durable, state.pending)
    state.pending = []
  }

  /** The disk after a power cut now. The arrays may be views of this simulation's own: copy one before changing it. */
  crash(outcome: CrashOutcome, random: SeededRandom): Map<string, Uint8Array> {
    const image = new Map<string, Uint8Array>()
    const survivors = new Map<SimulatedFile, Uint8Array>()
    const visit = (node: Node, path: string): void => {
      if (node.kind === "directory") {
        for (const [name, child] of this.#survivingNames(node, outcome, random)) visit(child, `${path}/${name}`)
        return
      }
      // A file of two names has the same bytes under both.
      let bytes = survivors.get(node.file)
      if (bytes === undefined) {
        bytes = survivingBytes(node.file, { outcome, stale: this.#stale }, random)
        survivors.set(node.file, bytes)
      }
      image.set(path, bytes)
    }
    visit(this.#tree.root, "")
    return image
  }

  #survivingNames(directory: DirectoryNode<SimulatedFile>, outcome: CrashOutcome, random: SeededRandom) {
    const state = this.#state(directory)
    if (state.pending.length === 0) return state.durable
    const names = new Map(state.durable)
    applyNames(names, survivingOperations(state.pending, outcome.names, random))
    return names
  }

  #makeDurable(directory: DirectoryNode<SimulatedFile>): void {
    this.#states.set(directory, { durable: new Map(directory.names), pending: [] })
    for (const node of directory.names.values()) if (node.kind === "directory") this.#makeDurable(node)
  }

  /** Records what the cache now says of a name. */
  #note({ directory, name }: Place<SimulatedFile>): void {
    this.#state(directory).pending.push({ name, node: directory.names.get(name) })
  }

  #state(directory: DirectoryNode<SimulatedFile>): DirectoryState {
    let state = this.#states.get(directory)
    if (state === undefined) {
      state = { durable: new Map(), pending: [] }
      this.#states.set(directory, state)
    }
    return state
  }
}

const applyNames = (names: Map<string, Node>, operations: ReadonlyArray<NameOperation>): void => {
  for (const { name, node } of operations) {
    if (node === undefined) names.delete(name)
    else names.set(name, node)
  }
}
