// What tells the disks that power cuts leave apart.
import { createHash } from "node:crypto"

/** Of all files: names, lengths and bytes; and of what is due of them. */
export const hashOf = (image: ReadonlyMap<string, Uint8Array>, due = ""): string => {
  const hash = createHash("sha1").update(`${due}\0`)
  for (const path of [...image.keys()].sort()) {
    const bytes = image.get(path)!
    hash.update(`${path}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest("base64")
}
