// A worker thread that dies, as far as its owner can see: anywhere but inside of a codec, where Node would abort the
// whole process (src/internal/structure/threadGate.ts).
import type { JobThread } from "../../src/layers/NodeJobThread.ts"

export const killThread = (thread: JobThread): void => {
  thread.shutUnsafe()
  void thread.worker.terminate()
}
