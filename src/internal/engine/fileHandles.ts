// The tables, or value files, of a database, each once. Naming one reads nothing of it; see tableReader.ts and
// valueFileReader.ts for when it is read, and openFiles.ts for how much of all of them is in memory.
import * as Effect from "effect/Effect"
import { Corruption, type DatabaseError, fail, Stale } from "../../services/DatabaseError.ts"
import type { DiskService } from "../../services/Disk.ts"
import type { ManifestService } from "../../services/Manifest.ts"
import type { OptionsShape } from "../../services/Options.ts"
import { decoding, ofDisk } from "./diskErrors.ts"

/** Where the files are. */
export interface HandleParts {
  readonly options: OptionsShape
  readonly disk: DiskService
  readonly manifest: ManifestService
}

/** What the manifest pins, as far as it matters here. */
interface FileMeta {
  readonly number: number
  readonly bytes: number
}

interface Handle<Meta> {
  meta: Meta
  /** Gives back what is kept of it, and the file. */
  readonly close: Effect.Effect<void>
}

/** What tables and value files differ in. */
export interface HandleKind<Meta extends FileMeta, File extends Handle<Meta>> {
  /** As messages name it. */
  readonly what: string
  readonly fileName: (number: number) => string
  readonly make: (meta: Meta) => File
  /** Throws `FormatError` unless the file has the size that the manifest says. */
  readonly checkSize: (meta: Meta, bytes: number) => void
}

/** The error for a file that is not there. */
export const missingFile = ({ options }: Pick<HandleParts, "options">, what: string, file: string): DatabaseError =>
  fail(
    options.readOnly
      ? new Stale({ message: `a later writer removed ${file}; open the database again`, file })
      : new Corruption({ message: `${what} ${file} named by the manifest is missing`, file, offset: 0 })
  )

export class FileHandles<Meta extends FileMeta, File extends Handle<Meta>> {
  private readonly parts: HandleParts
  private readonly kind: HandleKind<Meta, File>
  private readonly files = new Map<number, File>()

  constructor(parts: HandleParts, kind: HandleKind<Meta, File>) {
    this.parts = parts
    this.kind = kind
  }

  handle(meta: Meta): File {
    const known = this.files.get(meta.number)
    if (known !== undefined) {
      known.meta = meta
      return known
    }
    const file = this.kind.make(meta)
    this.files.set(meta.number, file)
    return file
  }

  /** The handles, if all files are there with their sizes. */
  attach(metas: ReadonlyArray<Meta>): Effect.Effect<ReadonlyArray<File>, DatabaseError> {
    if (metas.length === 0) return Effect.succeed([])
    const { disk, manifest } = this.parts
    return Effect.flatMap(Effect.mapError(disk.list(manifest.directory), ofDisk), (entries) => {
      const files = entries.filter(({ kind }) => kind === "file")
      const sizes = new Map(files.map(({ bytes, name }) => [name, bytes]))
      return Effect.forEach(metas, (meta) => this.found(meta, sizes))
    })
  }

  /** Closes the handle and removes its file. One that cannot be removed is left to the next open. */
  remove(meta: Meta): Effect.Effect<void> {
    const { disk, manifest } = this.parts
    const path = this.path(meta.number)
    const removal = Effect.catch(disk.remove(path), (error) =>
      error.code === "ENOENT"
        ? Effect.void
        : Effect.logWarning(`Strata: ${path} could not be removed and is left: ${error.message}`)
    )
    return Effect.suspend(() => {
      const file = this.files.get(meta.number)
      this.files.delete(meta.number)
      return Effect.andThen(file?.close ?? Effect.void, manifest.ifSound(removal))
    }).pipe(Effect.uninterruptible)
  }

  /** Closes every handle, as soon as no read of it is under way. */
  readonly close: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach([...this.files.values()], (file) => file.close, { discard: true })
  )

  private path(number: number): string {
    const { disk, manifest } = this.parts
    return disk.join(manifest.directory, this.kind.fileName(number))
  }

  private found(meta: Meta, sizes: ReadonlyMap<string, number>): Effect.Effect<File, DatabaseError> {
    const { checkSize, fileName, what } = this.kind
    const path = this.path(meta.number)
    const bytes = sizes.get(fileName(meta.number))
    if (bytes === undefined) return Effect.fail(missingFile(this.parts, what, path))
    return decoding(path, () => {
      checkSize(meta, bytes)
      return this.handle(meta)
    })
  }
}
