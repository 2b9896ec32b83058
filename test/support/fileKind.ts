// What kind of file a path names, by its name's beginning: `log`, `table`, `value`, `manifest`, `current`, …; of a
// directory, its name.
export const kindOf = (path: string): string => (path.split("/").at(-1) ?? "").split("-")[0]!
