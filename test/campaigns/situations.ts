// Rare situations that campaigns must come through: one that is never reached is a failing report. Each says in a word
// where bugs like to be; whoever reaches one calls `tally.reach`.
export const situations = [
  "a crash inside recovery",
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
