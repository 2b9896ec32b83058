// How many hold each of the things that several hold.

export class Holdings<A> {
  private readonly counts = new Map<A, number>()
  private readonly onLast: (thing: A) => void

  /** `onLast` is called with each that nobody holds any more. */
  constructor(onLast: (thing: A) => void) {
    this.onLast = onLast
  }

  /** Those that somebody holds. */
  get all(): Iterable<A> {
    return this.counts.keys()
  }

  hold(thing: A): void {
    this.counts.set(thing, (this.counts.get(thing) ?? 0) + 1)
  }

  release(thing: A): void {
    const left = this.counts.get(thing)! - 1
    if (left > 0) {
      this.counts.set(thing, left)
    } else {
      this.counts.delete(thing)
      this.onLast(thing)
    }
  }
}
