// The machine for a job.
import { CollectKernel } from "./collectKernel.ts"
import { JobKernel } from "./jobKernel.ts"
import type { Kernel } from "./jobRequest.ts"
import { type AnyWork, isCollect, type JobSetup } from "./jobWork.ts"

export const kernelOf = (work: AnyWork, setup: JobSetup): Kernel =>
  isCollect(work) ? new CollectKernel(work, setup) : new JobKernel(work, setup)
