// Rare situations that campaigns must come through: one that is never reached is a failing report. Each says in a word
// where bugs like to be; whoever reaches one calls `tally.reach`.
export const situations = [
  "a crash inside recovery",
  "a flush inside a history",
  "a compaction inside a history",
  "a collection inside a history",
  "a writer that waits inside a history",
  "a write skew that snapshot isolation allows",
  "a phantom that snapshot isolation allows",
  "both isolation levels in one history",
  "a power cut inside a history that took commits",
  "a process killed inside a history",
  "a kill inside a history that took buffered commits",
  "a history that ended with lost commits",
  "a commit that nobody was told of and that is there",
  "a commit that nobody was told of and that is gone",
  "an append that is lost",
  "an append that is misdirected",
  "an append that is copied",
  "an append that is duplicated",
  "a bit that flips at rest",
  "a lie that an opening finds",
  "a lie that a read finds",
  "a lie that verify finds",
  "a lie that background work finds",
  "a lie about the end of the log",
  "a commit on a slow device",
  "a clock that is set ahead",
  "a clock that is set back"
] as const

export type Situation = (typeof situations)[number]
