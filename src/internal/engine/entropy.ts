// Where unpredictable bytes come from, as far as keys hang on them. A simulation gives its own, and repeats itself.
import { digestOf } from "../format/cipher.ts"

export interface Entropy {
  /** Fresh and unpredictable; wiped by whoever made a key of them. */
  readonly bytes: (length: number) => Uint8Array
  /** Differs from process to process, and from call to call in one. */
  readonly moment: () => Uint8Array
}

/**
 * 32 bytes that never come twice, neither in a virtual machine that was copied with the state of its random number
 * generator and goes on in two places: there the moments differ. `more` is mixed in.
 */
export const uniqueBytes = (entropy: Entropy, more: Uint8Array = new Uint8Array(0)): Uint8Array =>
  digestOf([entropy.bytes(32), entropy.moment(), more])
