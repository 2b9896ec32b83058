// The value files of a database.
import type { ValueFileMeta } from "../../services/Manifest.ts"
import type { OpenFilesService } from "../../services/OpenFiles.ts"
import { valueFileName } from "../format/fileName.ts"
import { checkValueFileSize } from "../structure/valueFileFacts.ts"
import { FileHandles } from "./fileHandles.ts"
import type { ValueParts } from "./valueFile.ts"
import { ValueFileReader } from "./valueFileReader.ts"

export type ValueFileHandles = FileHandles<ValueFileMeta, ValueFileReader>

export const valueFileHandles = (parts: ValueParts, files: OpenFilesService): ValueFileHandles =>
  new FileHandles(parts, {
    what: "value file",
    fileName: valueFileName,
    make: (meta) => new ValueFileReader(meta, parts, files),
    checkSize: checkValueFileSize
  })
