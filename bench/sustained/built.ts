// Strata as it is installed: the built package. From its sources a process has 30 MiB more, for what takes types off.
import type * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import type * as Database from "../../src/services/Database.ts"
import type * as Maintenance from "../../src/services/Maintenance.ts"

const load = (module: string): Promise<unknown> => import(`../../dist/${module}.js`)

export const { layer } = (await load("layers/LsmDatabase")) as typeof LsmDatabase
export const { Database: DatabaseTag } = (await load("services/Database")) as typeof Database
export const { Maintenance: MaintenanceTag } = (await load("services/Maintenance")) as typeof Maintenance
