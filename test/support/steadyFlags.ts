// Flags of Node for processes of which the memory is measured.
//
// With its compilers on, V8's code is most of what is measured: it goes on optimizing for over 600 cycles (2 to 3 KiB a
// cycle at first, hardly an object among it), and at some time its cache drops 3.6 MiB of sources, which hides a leak.
export const steadyFlags = [
  "--no-opt",
  "--no-maglev",
  "--no-sparkplug",
  "--no-lazy-feedback-allocation",
  "--no-flush-bytecode",
  "--no-compilation-cache"
]
