/**
 * Where the database is.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * The directory of one database, as its `Disk` names it. Layers that open files take it from here, so that none of them
 * is a function of a path.
 *
 * @since 0.1.0
 * @category services
 */
export class Directory extends Context.Service<Directory, { readonly path: string }>()("strata/Directory") {}
