// Power loss on the manifest alone; that of the whole database is in test/crash.test.ts.
import { assert, describe, it } from "@effect/vitest"
import { manifestRun, newCampaign } from "../support/manifestCrash.ts"

const imagesMin = 1500

describe("FileManifest, the power cut after every call of the device", () => {
  it(`${imagesMin} images, also of creations and rewrites, hold the old state or the new one`, () => {
    const campaign = newCampaign()
    for (let seed = 1; campaign.images < imagesMin; seed++) manifestRun(seed, campaign)
    assert.isAbove(campaign.nested, 500)
  })

  it.each(["dropped", "reverted", "written"] as const)(
    "files deleted after a failed manifest sync: none, when what it was to write is %s",
    (model) => {
      const campaign = newCampaign()
      for (let sync = 0; sync < 24; sync += 2) manifestRun(sync, campaign, { fault: { sync, model } })
      assert.isAbove(campaign.images, 100)
    }
  )

  it.each([
    ["missing sync", (operation: string, path: string) => operation === "sync" && path.endsWith(".man")],
    ["missing marker sync", (operation: string, path: string) => operation === "sync" && path.endsWith(".mark")],
    ["missing directory sync", (operation: string, path: string) => operation === "syncDirectory" && path === "/db"],
    ["missing sync of the parent", (operation: string, path: string) => operation === "syncDirectory" && path !== "/db"]
  ])("a %s would be noticed", (_, ignoresSync) => {
    const campaign = newCampaign()
    assert.throws(() => {
      for (let seed = 1; seed <= 20; seed++) manifestRun(seed, campaign, { ignoresSync })
    })
  })
})
