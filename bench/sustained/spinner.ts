// A thread that computes and shares nothing: what a worker of Strata takes from the main thread on a machine with as
// many cores as threads.
let state = 1
for (;;) state = (Math.imul(state, 48_271) + 1) | 0
