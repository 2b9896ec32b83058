// Power loss while keys are rotated: after every call by which a keyring takes another's place, and after those of what
// follows from a new data key. See `support/rotationRun.ts` for what is judged.
import { assert, describe, it } from "@effect/vitest"
import { judgeRotations, newRotations, rotationRun } from "./support/rotationRun.ts"

const imagesMin = Number(process.env.STRATA_ROTATION_IMAGES ?? 400)
const firstSeed = Number(process.env.STRATA_SEED ?? 1)

/** The steps of a keyring that takes another's place, in their order, and some of what follows. */
const steps = [
  "create keyring",
  "append keyring",
  "sync keyring",
  "closeAppend keyring",
  "syncDirectory db",
  "remove keyring",
  "create manifest",
  "sync current",
  "remove current",
  "remove manifest",
  "remove log",
  "create table",
  "sync table",
  "remove table",
  "create value",
  "remove value"
]

describe("power loss while keys are rotated", () => {
  it(`${imagesMin} images open with the right key alone, lose nothing, and go on`, () => {
    const campaign = newRotations()
    for (let seed = firstSeed; campaign.images < imagesMin; seed++) {
      judgeRotations(rotationRun(seed, campaign), campaign, { seed, nestedEvery: 40, imagesMax: imagesMin })
    }
    const after = [...campaign.after].map(([name, count]) => `${name} ${count}`).sort()
    console.log(
      `images: ${campaign.images}; rotations: ${JSON.stringify(campaign.rotations)}; after: ${after.join(", ")}`
    )
    assert.isAtLeast(campaign.images, imagesMin)
    if (imagesMin >= 400) assert.includeMembers([...campaign.after.keys()], steps)
  }, 1_800_000)
})
