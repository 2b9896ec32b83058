// Where the demo runs: what its entry point hands to the pieces.
import type * as Layer from "effect/Layer"
import type { Database } from "../../services/Database.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { Maintenance } from "../../services/Maintenance.ts"

export interface Place {
  /** The packages whose files are imported. */
  readonly root: string
  /** The database's directory, made for the demo and removed with it. */
  readonly directory: string
  /** Opens the database; a new one each time it is provided. */
  readonly open: Layer.Layer<Database | Maintenance, DatabaseError>
  /** The most memory this process ever had, in bytes. */
  readonly peakBytes: () => number
  /** What starts the demo as a child: `child.command ...child.arguments root directory`. */
  readonly child: { readonly command: string; readonly arguments: ReadonlyArray<string> }
}
