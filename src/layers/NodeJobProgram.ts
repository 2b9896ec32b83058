/**
 * Where the program of worker threads is.
 *
 * @since 0.1.0
 */

/**
 * From `src/layers/` and from `dist/chunks/` it is the same way to a program of the same kind. Tests put another place
 * here.
 *
 * @internal
 */
export const jobProgram = {
  url: (): URL => new URL(`../programs/jobWorker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url)
}
