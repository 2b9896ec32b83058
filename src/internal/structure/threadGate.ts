// When a thread may be ended from outside.
//
// Node's zlib aborts the whole process when a thread is ended between the making of its native context and that one's
// initialisation (`close before init`, Node 24): one to three of a hundred times that a compressing thread is ended. A
// word of shared memory says where the thread is, and what its owner wants:
//
//   open        it may be ended              → inside, by itself; → ended, by its owner
//   inside      it is in a codec             → open, by itself; → leaving, by its owner
//   leaving     it is, for the last time     → ended, by itself
//   ended       it does not go in any more: it waits for its end instead
const State = { open: 0, inside: 1, leaving: 2, ended: 3 } as const

export class ThreadGate {
  private readonly words: Int32Array
  private readonly word: number

  /** The same word of shared memory in both threads. */
  constructor(words: Int32Array, word: number) {
    this.words = words
    this.word = word
  }

  /** The thread's own: what runs in it is not cut short. Not one in another. */
  inside<A>(run: () => A): A {
    if (this.change(State.open, State.inside) !== State.open) this.waitForEnd()
    try {
      return run()
    } finally {
      if (this.change(State.inside, State.open) === State.leaving) {
        Atomics.store(this.words, this.word, State.ended)
        Atomics.notify(this.words, this.word)
      }
    }
  }

  /** The owner's: true if the thread may be ended from now on, false if it is inside for the last time. */
  shut(): boolean {
    for (;;) {
      const state = Atomics.load(this.words, this.word)
      if (state === State.leaving || state === State.ended) return state === State.ended
      // It may have gone in or come out in between.
      if (this.change(state, state === State.open ? State.ended : State.leaving) === state) return state === State.open
    }
  }

  /** The owner's: blocks it until the thread may be ended, at most so long. For where nothing can be waited for. */
  shutUnsafe(millisMax: number): void {
    if (!this.shut()) Atomics.wait(this.words, this.word, State.leaving, millisMax)
  }

  private waitForEnd(): void {
    for (;;) Atomics.wait(this.words, this.word, State.ended)
  }

  /** Answers with the state before. */
  private change(from: number, to: number): number {
    return Atomics.compareExchange(this.words, this.word, from, to)
  }
}
