import { describe } from "@effect/vitest"
import { examples } from "../../support/pickerExamples.ts"

const zstd = { codecs: { upper: 0, bottom: 1 } }
const all = { from: undefined, to: undefined, sequence: 2000 }

describe("tables that are not compressed as their level is", () => {
  examples([
    { name: "are moved where there is no codec", levels: "0 a..z:70", choice: "move 1 to 6 (level0)" },
    { name: "are not moved to the bottom level", levels: "0 a..z:70", more: zstd, choice: "merge 1 to 6 (level0)" },
    {
      name: "are moved there if they are compressed",
      levels: "0 a..z:70 c1",
      more: zstd,
      choice: "move 1 to 6 (level0)"
    },
    {
      name: "are moved there with whatever they have if it has no codec",
      levels: "0 a..z:70 c1",
      more: { codecs: { upper: 1, bottom: 0 } },
      choice: "move 1 to 6 (level0)"
    },
    {
      name: "are left alone at the bottom",
      levels: "6 a..f:8 g..z:8 c2",
      more: { ...zstd, idle: true },
      choice: "nothing"
    },
    {
      name: "are written again there by hand, one after the other",
      levels: "6 a..f:8 c1 g..l:8 m..z:8 c2",
      more: { ...zstd, manual: all },
      choice: "merge 2 to 6 (manual)"
    },
    {
      name: "are written again without a codec by hand",
      levels: "6 a..f:8 g..z:8 c1",
      more: { codecs: { upper: 0, bottom: 0 }, manual: all },
      choice: "merge 2 to 6 (manual)"
    },
    {
      name: "are left alone by hand where they are to stay as they are found",
      levels: "6 a..f:8 g..z:8 c2",
      more: { codecs: { ...zstd.codecs, asFound: true }, manual: all },
      choice: "nothing"
    },
    {
      name: "are left alone by hand beyond the range, and when all are as they must be",
      levels: "6 a..f:8 c1 g..z:8",
      more: { ...zstd, manual: { ...all, to: Uint8Array.of(0x67) } },
      choice: "nothing"
    },
    {
      name: "wait for a merge that reads them",
      levels: "6 a..f:8* g..z:8 c1",
      more: { ...zstd, manual: all },
      choice: "nothing"
    },
    {
      name: "come after what is above them",
      levels: "0 a..b:8 \n 6 a..f:8 g..z:8",
      more: { ...zstd, manual: all },
      choice: "merge 1 | 2 to 6 (manual)"
    }
  ])
})
