// An encrypted database in a fixture, file by file: decrypted by a script that has none of Strata's code
// (test/support/decryptGolden.mjs), opened by Strata, and made anew byte by byte.
//
// Whoever changes a format on purpose writes the fixture again with STRATA_GOLDEN=write, and mends what is expected
// here and in the script.
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import { goldenDirect, goldenImage, goldenMaster, goldenMasterHex, goldenOptions } from "./support/goldenDatabase.ts"
import { directory } from "./support/opened.ts"
import { contentsAfter, type Image } from "./support/scenario.ts"
import { SimKeys } from "./support/simKeys.ts"

const fixture = fileURLToPath(new URL("fixtures/encrypted", import.meta.url))
const script = fileURLToPath(new URL("support/decryptGolden.mjs", import.meta.url))

if (process.env.STRATA_GOLDEN === "write") {
  fs.rmSync(fixture, { recursive: true, force: true })
  fs.mkdirSync(fixture, { recursive: true })
  for (const [path, bytes] of goldenImage()) fs.writeFileSync(path.replace(directory, fixture), bytes)
}

const committed: Image = new Map(
  fs.readdirSync(fixture).map((name) => [`${directory}/${name}`, new Uint8Array(fs.readFileSync(`${fixture}/${name}`))])
)

interface Frame {
  readonly kind: string
  readonly commits?: ReadonlyArray<unknown>
}

const decrypted = (key: string): Record<string, unknown> =>
  JSON.parse(execFileSync(process.execPath, [script, fixture, key], { encoding: "utf8", stdio: "pipe" }))

// Keys are as they are stored: behind the number of the default keyspace.
const longs = ["a value that is longer than sixteen bytes", "of a range that is removed"]
const goldenTables = [
  {
    entries: [
      { sequence: 1, kind: "set", key: "\x01apple", value: "small" },
      { sequence: 2, kind: "valueHandle", key: "\x01banana", handle: { file: 9, index: 0, length: 41 } },
      {
        sequence: 3,
        kind: "set",
        key: "\x01cherry",
        value: "with a time",
        expiresAt: 4_000_000_000_000,
        userMeta: 7
      },
      { sequence: 4, kind: "valueHandle", key: "\x01date", handle: { file: 9, index: 1, length: 26 } }
    ],
    removals: []
  },
  {
    entries: [{ sequence: 6, kind: "remove", key: "\x01apple" }],
    removals: [{ from: "\x01d", to: "\x01e", sequence: 5 }]
  }
]
const goldenValues = [
  {
    id: 9,
    values: [
      { index: 0, sequence: 2, key: "\x01banana", value: longs[0] },
      { index: 1, sequence: 4, key: "\x01date", value: longs[1] }
    ]
  },
  { id: 14, values: [{ index: 0, sequence: 0, key: "\x01grape", value: goldenDirect }] }
]
const goldenCommits = [
  {
    sequence: 7,
    records: [
      { kind: "set", key: "\x01elder", value: "in the log" },
      { kind: "remove", key: "\x01nothing" }
    ]
  },
  {
    sequence: 8,
    records: [{ kind: "set", key: "\x01fig", value: "long, and in the log until it is flushed" }]
  },
  {
    sequence: 9,
    records: [{ kind: "valueHandle", key: "\x01grape", handle: { file: 14, index: 0, length: 70, fileTag: 256446157 } }]
  }
]

describe("the golden encrypted database", () => {
  it("is made byte by byte", () => {
    const made = goldenImage()
    const hexes = (image: Image) =>
      Object.fromEntries([...image].sort().map(([path, bytes]) => [path, Buffer.from(bytes).toString("hex")]))
    assert.deepStrictEqual(hexes(made), hexes(committed))
  })

  it("is decrypted by another program", () => {
    const found = decrypted(goldenMasterHex)
    const ofKind = <A>(kind: string): ReadonlyArray<A> =>
      Object.keys(found)
        .filter((name) => name.startsWith(kind))
        .sort()
        .map((name) => found[name] as A)
    assert.deepStrictEqual(ofKind("keyring"), [{ number: 1, generations: [{ generation: 1, createdSequence: 0 }] }])
    const manifests = Object.keys(found).filter((name) => name.startsWith("manifest"))
    const [marker] = ofKind<{ readonly manifestNumber: number }>("current")
    assert.deepStrictEqual([`manifest-${marker!.manifestNumber.toString(16).padStart(16, "0")}.man`], manifests)
    const edits = ofKind<ReadonlyArray<ReadonlyArray<Record<string, unknown>>>>("manifest").flat(2)
    const named = (name: string) => edits.flatMap((edit) => (name in edit ? [edit[name]] : []))
    assert.deepStrictEqual(named("encryptionName"), ["aes-256-gcm"])
    assert.deepStrictEqual(named("cleanShutdown"), [{ lastLsn: 15, lastSequence: 9 }])
    assert.lengthOf(named("addTable"), 2)
    assert.deepStrictEqual(named("epochId"), ["c28a791535bbf64630c1378fc37ebdcd"])
    assert.deepStrictEqual(named("keyringNumber"), [1])
    assert.deepStrictEqual(ofKind("table"), goldenTables)
    assert.deepStrictEqual(ofKind("value").flat(), goldenValues)
    const frames = ofKind<ReadonlyArray<Frame>>("log").flat()
    assert.deepStrictEqual(
      frames.map(({ kind }) => kind),
      ["link", "full", "full", "full", "sealed"]
    )
    assert.deepStrictEqual(
      frames.flatMap(({ commits = [] }) => commits),
      goldenCommits
    )
  })

  it("is not decrypted with another key", () => {
    assert.throws(() => decrypted("2b".repeat(32)), "the commitment")
  })

  it("is read by Strata", () => {
    const encryption = new SimKeys(1).layer(goldenMaster)
    assert.deepStrictEqual(contentsAfter(committed, { ...goldenOptions, readOnly: true, encryption }), {
      banana: "a value that is longer than sixteen bytes",
      cherry: "with a time",
      elder: "in the log",
      fig: "long, and in the log until it is flushed",
      grape: goldenDirect
    })
  })
})
