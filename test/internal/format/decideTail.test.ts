import { describe, expect, it } from "@effect/vitest"
import { decideTail, type LogTail } from "../../../src/internal/format/logScan.ts"

const end = { lsn: 20, chain: 77, offset: 500 }
const none = { lsnMax: 0, promised: 0, tampered: false }
const clean: LogTail = { kind: "clean", reason: "whole", offset: 500, bytes: 0, ...none }
const torn: LogTail = { ...clean, kind: "torn", reason: "cut off", bytes: 30 }
const nothing = { lsnDurable: 0, cleanShutdownLsn: undefined }
const follows = { previousSegment: 7, finalLsn: 20, finalChain: 77 }

const decide = (given: {
  readonly tail?: LogTail
  readonly nextLink?: typeof follows
  readonly promisedLater?: number
  readonly manifest?: { readonly lsnDurable: number; readonly cleanShutdownLsn: number | undefined }
}) =>
  decideTail({
    scan: { header: { fileNumber: 7 }, end, tail: given.tail ?? torn },
    nextLink: given.nextLink,
    promisedLater: given.promisedLater ?? 0,
    manifest: given.manifest ?? nothing
  })

// LSN 21 is the one that is missing.
describe("decideTail", () => {
  it("ends at a clean end, and drops a tail that nobody promised", () => {
    expect(decide({ tail: clean })).toEqual({ _tag: "End" })
    expect(decide({})).toMatchObject({ _tag: "Torn", offset: 500, bytes: 30 })
    const reordered: LogTail = { ...torn, kind: "reordered", lsnMax: 25, promised: 20 }
    expect(decide({ tail: reordered, promisedLater: 20 })).toMatchObject({ _tag: "Torn", bytes: 30 })
    expect(decide({ manifest: { lsnDurable: 20, cleanShutdownLsn: 20 } })._tag).toBe("Torn")
  })

  it.each([
    ["a later frame", { tail: { ...torn, kind: "reordered", lsnMax: 25, promised: 21 } }],
    ["a later frame, whatever the next LINK says", { tail: { ...torn, promised: 21 }, nextLink: follows }],
    ["the manifest's durable LSN", { manifest: { lsnDurable: 21, cleanShutdownLsn: undefined } }],
    ["a clean shutdown", { manifest: { lsnDurable: 0, cleanShutdownLsn: 21 } }],
    ["a later segment", { promisedLater: 21 }],
    ["the next LINK", { nextLink: { ...follows, finalLsn: 21 } }]
  ] as const)("is corruption if %s promises the missing LSN, at a clean end too", (_, given) => {
    expect(decide(given)).toMatchObject({ _tag: "Corruption", offset: 500 })
    if (!("tail" in given)) expect(decide({ ...given, tail: clean })).toMatchObject({ _tag: "Corruption" })
  })

  it("says whether somebody changed the frame that is missing", () => {
    for (const tampered of [false, true]) {
      const tail: LogTail = { ...torn, promised: 21, tampered }
      expect(decide({ tail })).toMatchObject({ _tag: "Corruption", tampered })
    }
  })

  it("goes on in the next segment exactly if its LINK names this end", () => {
    expect(decide({ nextLink: follows })).toEqual({ _tag: "Continue" })
    expect(decide({ nextLink: follows, tail: clean })).toEqual({ _tag: "Continue" })
    expect(decide({ nextLink: { ...follows, finalChain: 78 } })._tag).toBe("Corruption")
    expect(decide({ nextLink: { ...follows, finalLsn: 19 } })._tag).toBe("Corruption")
    expect(decide({ nextLink: { ...follows, previousSegment: 6 } })._tag).toBe("Corruption")
  })

  it("passes from an abandoned group into the next segment, which goes on with the same LSN and promises it", () => {
    const manifest = { lsnDurable: 40, cleanShutdownLsn: undefined }
    expect(decide({ nextLink: follows, promisedLater: 40, manifest })).toEqual({ _tag: "Continue" })
  })
})
