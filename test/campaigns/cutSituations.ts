// Which rare situation a power cut was, by the device call that it came after.
import type { Tally } from "./campaign.ts"
import type { Situation } from "./situations.ts"

const situationOf: Readonly<Record<string, Situation>> = {
  "create table": "a crash with a table that is empty",
  "append table": "a crash with a table that is cut off",
  "sync table": "a crash between the sync of a table and its publication",
  "append manifest": "a crash between an edit of the manifest and its sync",
  "sync manifest": "a crash right after an edit of the manifest was synced",
  "create manifest": "a crash while a manifest is written anew",
  "append current": "a crash with a marker that is not synced",
  "sync current": "a crash between the sync of a marker and that of its name",
  "remove current": "a crash among the removals of what an old manifest named",
  "remove table": "a crash among the removals of old tables",
  "remove log": "a crash among the removals of old log segments",
  "remove value": "a crash among the removals of old value files",
  "create log": "a crash with a log segment that is not begun",
  "append log": "a crash with a log that was not synced",
  "sync value": "a crash between the sync of a value file and its publication",
  "append value": "a crash with a value file that is cut off"
}

/** `where` is as the harnesses have it: `call 12 (append log), …`, in recoveries with their level before. */
export const reachedByCut = (where: string, tally: Tally): void => {
  const call = /\((?:recovery )*(.+?)\)/.exec(where)?.[1]
  const situation = call === undefined ? undefined : situationOf[call]
  if (situation !== undefined) tally.reach(situation)
}
