// Power loss on the log alone; that of the whole database is in test/crash.test.ts.
import { assert, describe, it } from "@effect/vitest"
import { newCampaign, walRun } from "../support/walCrash.ts"

const imagesMin = 2000

describe("FileWal, the power cut after every call of the device", () => {
  it(`${imagesMin} images hold a prefix with everything synced`, () => {
    const campaign = newCampaign()
    for (let seed = 1; campaign.images < imagesMin; seed++) walRun(seed, campaign)
    assert.isAbove(campaign.refused, 5)
    assert.isAbove(campaign.nested, 500)
  })

  it.each([
    ["syncs of log segments", (operation: string, path: string) => operation === "sync" && path.endsWith(".wal")],
    ["syncs of manifests", (operation: string, path: string) => operation === "sync" && path.endsWith(".man")],
    ["missing directory sync", (operation: string, path: string) => operation === "syncDirectory" && path === "/db"]
  ])("%s would be noticed", (_, ignores) => {
    const campaign = newCampaign()
    assert.throws(() => {
      for (let seed = 1; seed <= 20; seed++) walRun(seed, campaign, ignores)
    })
  })
})
