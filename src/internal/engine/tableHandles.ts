// The tables of a database.
import type { TableMeta } from "../../services/Manifest.ts"
import type { OpenFilesService } from "../../services/OpenFiles.ts"
import { tableFileName } from "../format/fileName.ts"
import { checkSize } from "../structure/tableFacts.ts"
import { FileHandles } from "./fileHandles.ts"
import type { TableParts } from "./tableFile.ts"
import { TableReader } from "./tableReader.ts"

export type TableHandles = FileHandles<TableMeta, TableReader>

export const tableHandles = (parts: TableParts, files: OpenFilesService): TableHandles =>
  new FileHandles(parts, {
    what: "table",
    fileName: tableFileName,
    make: (meta) => new TableReader(meta, parts, files),
    checkSize
  })
