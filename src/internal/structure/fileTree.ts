// Directories and names in memory: what MemoryDisk and the crash simulator have in common.
//
// Paths are separated by "/", relative ones start at the root, "." and ".." are resolved by text. A node is never
// moved: directories cannot be linked or removed, and a file lives as long as a name or a handle holds it.
// The codes thrown are those Linux gives for the same call.

/** A refused operation, with the errno's name. The layers turn it into a `DiskError`. */
export class PathError extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

export interface FileNode<File> {
  readonly kind: "file"
  readonly file: File
}

export interface DirectoryNode<File> {
  readonly kind: "directory"
  readonly names: Map<string, TreeNode<File>>
}

export type TreeNode<File> = FileNode<File> | DirectoryNode<File>

/** One name in one directory. */
export interface Place<File> {
  readonly directory: DirectoryNode<File>
  readonly name: string
}

export const segmentsOf = (path: string): Array<string> => {
  const segments: Array<string> = []
  for (const segment of path.split("/")) {
    if (segment === "" || segment === ".") continue
    if (segment === "..") segments.pop()
    else segments.push(segment)
  }
  return segments
}

/** The one spelling of a path, beginning with "/". */
export const normalPath = (path: string): string => `/${segmentsOf(path).join("/")}`

export class FileTree<File> {
  readonly root: DirectoryNode<File> = { kind: "directory", names: new Map() }

  directory(path: string): DirectoryNode<File> {
    return this.#walk(segmentsOf(path))
  }

  /** Returns the names it had to make, the topmost first. */
  makeDirectory(path: string): Array<Place<File>> {
    const made: Array<Place<File>> = []
    const segments = segmentsOf(path)
    let directory = this.root
    for (let index = 0; index < segments.length; index++) {
      const name = segments[index]!
      let next = directory.names.get(name)
      if (next === undefined) {
        next = { kind: "directory", names: new Map() }
        directory.names.set(name, next)
        made.push({ directory, name })
      } else if (next.kind === "file") {
        throw new PathError(index === segments.length - 1 ? "EEXIST" : "ENOTDIR")
      }
      directory = next
    }
    return made
  }

  file(path: string): File {
    const { directory, name } = this.place(path)
    return fileOf(directory, name, "EISDIR")
  }

  create(path: string, file: File): Place<File> {
    const place = this.place(path)
    if (place.directory.names.has(place.name)) throw new PathError("EEXIST")
    place.directory.names.set(place.name, { kind: "file", file })
    return place
  }

  link(from: string, to: string): Place<File> {
    const source = this.place(from)
    return this.create(to, fileOf(source.directory, source.name, "EPERM"))
  }

  remove(path: string): { readonly place: Place<File>; readonly file: File } {
    const place = this.place(path)
    const file = fileOf(place.directory, place.name, "EISDIR")
    place.directory.names.delete(place.name)
    return { place, file }
  }

  /** The directory of a path and its last name; the name need not exist. */
  place(path: string): Place<File> {
    const segments = segmentsOf(path)
    const name = segments.pop()
    if (name === undefined) throw new PathError("EISDIR")
    return { directory: this.#walk(segments), name }
  }

  #walk(segments: ReadonlyArray<string>): DirectoryNode<File> {
    let directory = this.root
    for (const segment of segments) {
      const next = directory.names.get(segment)
      if (next === undefined) throw new PathError("ENOENT")
      if (next.kind === "file") throw new PathError("ENOTDIR")
      directory = next
    }
    return directory
  }
}

const fileOf = <File>(directory: DirectoryNode<File>, name: string, codeOfDirectory: string): File => {
  const node = directory.names.get(name)
  if (node === undefined) throw new PathError("ENOENT")
  if (node.kind === "directory") throw new PathError(codeOfDirectory)
  return node.file
}

/** Names with their kinds and sizes, sorted by UTF-16 code units as `Array.sort` does. */
export const listNames = <File>(directory: DirectoryNode<File>, sizeOf: (file: File) => number) =>
  Array.from(directory.names, ([name, node]) => ({
    name,
    kind: node.kind,
    bytes: node.kind === "file" ? sizeOf(node.file) : 0
  })).sort((a, b) => (a.name < b.name ? -1 : 1))

/** Bytes that only grow. What was appended never changes, so a view of it stays true. */
export class GrowingBytes {
  #bytes: Uint8Array
  #size: number

  /** The first bytes are used as they are and never written to. */
  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = bytes
    this.#size = bytes.length
  }

  get size(): number {
    return this.#size
  }

  append(chunk: Uint8Array): void {
    const end = this.#size + chunk.length
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2, 256))
      grown.set(this.#bytes.subarray(0, this.#size))
      this.#bytes = grown
    }
    this.#bytes.set(chunk, this.#size)
    this.#size = end
  }

  view(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, to)
  }

  /** Lays the bytes over what is there. Views that were given out before stay as they are. */
  overwrite(at: number, bytes: Uint8Array): void {
    this.#bytes = this.#bytes.slice()
    this.#bytes.set(bytes, at)
  }
}
