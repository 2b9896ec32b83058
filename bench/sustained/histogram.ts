// Millions of durations in a few thousand counters, each within 1.1 % of what it was. A record is a logarithm and an
// increment.
import type { Spread } from "./settings.ts"

const perDoubling = 64
const bucketCount = 40 * perDoubling
/** What the first doubling begins with: shorter ones are not told apart. */
const unitMillis = 1e-5

export class Histogram {
  count = 0
  max = 0
  private readonly buckets = new Float64Array(bucketCount)

  record(millis: number): void {
    this.count += 1
    if (millis > this.max) this.max = millis
    const at = millis <= unitMillis ? 0 : Math.floor(Math.log2(millis / unitMillis) * perDoubling)
    this.buckets[Math.min(at, bucketCount - 1)]! += 1
  }

  /** The upper end of the bucket in which it lies, and at most the longest. */
  percentile(share: number): number {
    const wanted = Math.ceil(this.count * share)
    let seen = 0
    for (let at = 0; at < bucketCount; at++) {
      seen += this.buckets[at]!
      if (seen >= wanted && seen > 0) return Math.min(this.max, unitMillis * 2 ** ((at + 1) / perDoubling))
    }
    return this.max
  }

  spread(): Spread {
    const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => this.percentile(share)) as [number, number, number]
    return { count: this.count, p50, p99, p999, max: this.max }
  }
}
