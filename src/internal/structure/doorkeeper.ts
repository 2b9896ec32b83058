// Which of the things that were just missed are worth a place in a full cache: those that were missed once not long
// ago (the "doorkeeper" of Einziger, Friedman, Manes: "TinyLFU: A Highly Efficient Cache Admission Policy", ACM ToS
// 2017, with one row of fingerprints in the place of a Bloom filter). What is read once leaves the cache as it is, and
// costs it no memory.
//
// A miss leaves its fingerprint in the one place that its hash names, over what was there; the next miss of the same
// thing finds it and takes it away. So the places say how far "not long ago" reaches, and nothing has to be aged.

/** Between 64 and this many places. */
const placesMax = 1 << 20
const placesMin = 64

export class Doorkeeper {
  private readonly fingerprints: Uint32Array
  private readonly mask: number

  /** `places` is rounded up to a power of two. */
  constructor(places: number) {
    const wanted = Math.min(placesMax, Math.max(placesMin, places))
    const count = 2 ** Math.ceil(Math.log2(wanted))
    this.fingerprints = new Uint32Array(count)
    this.mask = count - 1
  }

  /** Whether the thing was missed before, of which this is a hash of 32 bits. */
  knows(hash: number): boolean {
    const { fingerprints } = this
    const place = hash & this.mask
    // 0 is an empty place.
    const fingerprint = ((hash >>> 0) + 1) >>> 0 || 1
    if (fingerprints[place] === fingerprint) {
      fingerprints[place] = 0
      return true
    }
    fingerprints[place] = fingerprint
    return false
  }
}
