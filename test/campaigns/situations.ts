// Rare situations that campaigns must come through: one that is never reached is a failing report. Each says in a word
// where bugs like to be; whoever reaches one calls `tally.reach`.
export const situations = ["a crash inside recovery"] as const

export type Situation = (typeof situations)[number]
