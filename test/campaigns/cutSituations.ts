// Which rare situation a power cut was, by the device call that it came after.
import type { Tally } from "./campaign.ts"
import type { Situation } from "./situations.ts"

const situationOf: Readonly<Record<string, Situation>> = {
  "create table": "a crash with a table that is empty",
  "append table": "a crash between a table's creation and its sync",
  "sync table": "a crash between a table's sync and the manifest's",
  "append manifest": "a crash between the manifest's append and its sync",
  "sync manifest": "a crash right after an edit of the manifest was synced",
  "create manifest": "a crash while a new manifest is written",
  "append current": "a crash between a marker's creation and its sync",
  "sync current": "a crash between a marker's sync and the directory's",
  "remove current": "a crash among the removals of what an old manifest named",
  "remove table": "a crash among the removals of old tables",
  "remove log": "a crash among the removals of old log segments",
  "remove value": "a crash among the removals of old value files",
  "create log": "a crash with a log segment that is not begun",
  "append log": "a crash while the log has bytes that are not synced",
  "sync value": "a crash between a value file's sync and the manifest's",
  "append value": "a crash between a value file's creation and its sync"
}

/** `where` is as the harnesses have it: `call 12 (append log), …`, in recoveries with their level before. */
export const reachedByCut = (where: string, tally: Tally): void => {
  const call = /\((?:recovery )*(.+?)\)/.exec(where)?.[1]
  const situation = call === undefined ? undefined : situationOf[call]
  if (situation !== undefined) tally.reach(situation)
}
