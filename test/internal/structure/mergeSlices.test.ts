import { assert, describe, it } from "@effect/vitest"
import { slicesOf } from "../../../src/internal/structure/mergeSlices.ts"
import { mebibyte, picture, textOf } from "../../support/levelPicture.ts"

/** `..c:30 c..:40`: the ends and about how many MiB. */
const shown = (inputs: string, guides: string, mebibytesMax: number): string =>
  slicesOf(
    picture(inputs).runs,
    guides === "" ? [] : picture(guides).runs.flatMap(({ tables }) => tables),
    mebibytesMax * mebibyte
  )
    .map(({ bytes, from, to }) => {
      const [first, last] = [from, to].map((key) => (key === undefined ? "" : textOf(key)))
      return `${first}..${last}:${Math.round(bytes / mebibyte)}`
    })
    .join(" ")

describe("slices of a merge", () => {
  it.each([
    { name: "are one where it is small", inputs: "0 a..z:30 \n 6 a..m:8 n..z:8", slices: "..:46" },
    {
      name: "write about the same each",
      inputs: "0 a..z:40 \n 6 a..f:40 g..l:40 m..r:40 s..z:40",
      slices: "..g:50 g..m:50 m..s:50 s..:50"
    },
    {
      name: "are cut where tables of both levels begin",
      inputs: "4 a..c:40 l..n:40 \n 5 a..f:40 g..z:80",
      slices: "..g:80 g..l:40 l..:80"
    },
    {
      name: "are cut where tables below begin",
      inputs: "0 a..z:200",
      guides: "6 a..f:60 g..l:20 m..r:60 s..z:60",
      slices: "..g:60 g..m:20 m..s:60 s..:60"
    },
    { name: "are as large as they must be where nothing says where to cut", inputs: "0 a..z:200", slices: "..:200" },
    {
      name: "spread a table over what lies in its span below",
      inputs: "0 g..r:100 \n 6 a..f:40 g..l:40 m..r:40 s..z:40",
      slices: "..g:40 g..m:90 m..s:90 s..:40"
    },
    {
      name: "are not cut where a table below begins before the merge",
      inputs: "0 g..z:120",
      guides: "6 a..h:10 i..z:10",
      slices: "..i:60 i..:60"
    }
  ])("$name", ({ guides, inputs, slices }) => assert.strictEqual(shown(inputs, guides ?? "", 64), slices))
})
