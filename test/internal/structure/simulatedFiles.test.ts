import { assert, describe, it } from "vitest"
import type { CrashOutcome } from "../../../src/internal/structure/crashOutcome.ts"
import { outcomes, SimulatedFiles } from "../../../src/internal/structure/simulatedFiles.ts"
import { SeededRandom } from "../../../src/internal/structure/random.ts"

const outcome = (changes: Partial<CrashOutcome>): CrashOutcome => ({
  name: "test",
  data: "none",
  size: "old",
  filler: "zeros",
  names: "all",
  sectorBytes: 512,
  ...changes
})

/** The distinct results of many throws of the dice. */
const throws = <A>(count: number, result: (random: SeededRandom) => A): Set<A> =>
  new Set(Array.from({ length: count }, (_, seed) => result(new SeededRandom(seed))))

const hex = (bytes: Uint8Array | undefined) => (bytes === undefined ? "none" : Buffer.from(bytes).toString("hex"))

/** "/db" with one durable name whose file has `durable` bytes of 1 and then un-synced appends of 2, 3, … */
const oneFile = (durable: number, appends: ReadonlyArray<number>) => {
  const files = new SimulatedFiles()
  files.makeDirectory("/db")
  files.syncDirectory("/")
  const file = files.create("/db/a")
  files.append(file, new Uint8Array(durable).fill(1))
  file.sync()
  files.syncDirectory("/db")
  for (const [index, length] of appends.entries()) files.append(file, new Uint8Array(length).fill(index + 2))
  return files
}

const bytesAfter = (files: SimulatedFiles, changes: Partial<CrashOutcome>, random = new SeededRandom(1)) =>
  files.crash(outcome(changes), random).get("/db/a")!

describe("simulatedFiles", () => {
  it("there are at least 14 kinds of power cut, all of different names", () => {
    assert.isAtLeast(outcomes.length, 14)
    assert.strictEqual(new Set(outcomes.map((outcome) => outcome.name)).size, outcomes.length)
  })

  it("un-synced data is lost, or kept, or kept to a prefix torn at a sector", () => {
    const files = oneFile(100, [600, 1000])
    assert.strictEqual(bytesAfter(files, { data: "none" }).length, 100)
    assert.strictEqual(bytesAfter(files, { data: "all" }).length, 1700)
    const sizes = throws(200, (random) => bytesAfter(files, { data: "prefix" }, random).length)
    // Appends end at 700 and 1700; sectors at 512, 1024 and 1536.
    assert.deepStrictEqual(
      [...sizes].sort((a, b) => a - b),
      [100, 512, 700, 1024, 1536, 1700]
    )
    const coarse = throws(200, (random) => bytesAfter(files, { data: "prefix", sectorBytes: 4096 }, random).length)
    assert.deepStrictEqual(
      [...coarse].sort((a, b) => a - b),
      [100, 700, 1700]
    )
  })

  it("any sector of any append may be missing, but never a durable byte", () => {
    const files = oneFile(100, [600, 1000])
    const patterns = throws(500, (random) => {
      const bytes = bytesAfter(files, { data: "sectors", size: "new" }, random)
      assert.strictEqual(bytes.length, 1700)
      assert.isTrue(bytes.subarray(0, 100).every((byte) => byte === 1))
      return [100, 512, 700, 1024, 1536].map((at) => (bytes[at] === 0 ? "-" : "+")).join("")
    })
    assert.strictEqual(patterns.size, 32)
    const sizes = throws(200, (random) => bytesAfter(files, { data: "sectors", size: "old" }, random).length)
    assert.deepStrictEqual(
      [...sizes].sort((a, b) => a - b),
      [100, 512, 700, 1024, 1536, 1700]
    )
  })

  it("a kept size is filled with zeros, bytes of a removed file, or random bytes", () => {
    const files = oneFile(2, [4])
    assert.strictEqual(hex(bytesAfter(files, { size: "new" })), "010100000000")
    const removed = files.create("/db/removed")
    files.append(removed, Uint8Array.of(0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6))
    files.remove("/db/removed")
    assert.strictEqual(hex(bytesAfter(files, { size: "new", filler: "stale" })), "0101a2a3a4a5")
    const filled = throws(20, (random) => hex(bytesAfter(files, { size: "new", filler: "random" }, random)))
    assert.isAbove(filled.size, 15)
    for (const bytes of filled) assert.isTrue(bytes.startsWith("0101") && bytes.length === 12)
  })

  it("names are durable only by their directory's sync, bytes only by their file's", () => {
    const files = new SimulatedFiles()
    files.makeDirectory("/db")
    const synced = files.create("/db/synced")
    files.append(synced, Uint8Array.of(1, 2))
    synced.sync()
    const paths = (changes: Partial<CrashOutcome>) => [...files.crash(outcome(changes), new SeededRandom(1)).keys()]
    assert.deepStrictEqual(paths({ names: "none" }), [], "a synced file without its name is lost")
    files.syncDirectory("/db")
    assert.deepStrictEqual(paths({ names: "none" }), [], "its directory has no durable name yet")
    files.syncDirectory("/")
    assert.deepStrictEqual(paths({ names: "none" }), ["/db/synced"])
    const named = files.create("/db/named")
    files.append(named, Uint8Array.of(3))
    files.syncDirectory("/db")
    assert.strictEqual(hex(files.crash(outcome({}), new SeededRandom(1)).get("/db/named")), "", "a name without bytes")
  })

  it("operations on names survive as a prefix, or as any subset in their order", () => {
    const files = new SimulatedFiles(new Map([["/old", Uint8Array.of(1)]]))
    files.create("/a")
    files.link("/a", "/b")
    files.remove("/old")
    const after = (names: CrashOutcome["names"]) =>
      throws(200, (random) => [...files.crash(outcome({ names }), random).keys()].sort().join(" "))
    assert.deepStrictEqual([...after("none")], ["/old"])
    assert.deepStrictEqual([...after("all")], ["/a /b"])
    assert.deepStrictEqual([...after("prefix")].sort(), ["/a /b", "/a /b /old", "/a /old", "/old"])
    assert.strictEqual(after("subset").size, 8)
  })

  it("data and names are thrown apart: every pair of them occurs", () => {
    const files = oneFile(0, [1])
    files.create("/db/b")
    const pairs = throws(200, (random) => {
      const image = files.crash(outcome({ data: "any", names: "any" }), random)
      return `${image.get("/db/a")!.length} ${image.has("/db/b")}`
    })
    assert.deepStrictEqual([...pairs].sort(), ["0 false", "0 true", "1 false", "1 true"])
  })

  it("a file of two names has the same bytes under both", () => {
    const files = oneFile(10, [3000])
    files.link("/db/a", "/db/b")
    for (let seed = 0; seed < 50; seed++) {
      const image = files.crash(outcome({ data: "sectors", size: "new", filler: "random" }), new SeededRandom(seed))
      assert.strictEqual(hex(image.get("/db/a")), hex(image.get("/db/b")), `seed ${seed}`)
    }
  })

  it("bytes dropped by a failed sync stay readable and never become durable", () => {
    const files = oneFile(2, [2])
    const file = files.file("/db/a")
    file.sync("dropped")
    assert.strictEqual(file.visibleSize, 4)
    files.append(file, Uint8Array.of(9))
    file.sync()
    for (const chosen of outcomes.filter((outcome) => outcome.names !== "none")) {
      const bytes = files.crash(chosen, new SeededRandom(3)).get("/db/a")!
      assert.strictEqual(hex(bytes.subarray(0, 2)), "0101", chosen.name)
      assert.notStrictEqual(hex(bytes.subarray(2, 4)), "0202", chosen.name)
      assert.strictEqual(hex(bytes.subarray(4)), "09", chosen.name)
    }
  })

  it("bytes reverted by a failed sync are not readable either; written ones survive", () => {
    const reverted = oneFile(2, [2])
    reverted.file("/db/a").sync("reverted")
    assert.strictEqual(reverted.file("/db/a").visibleSize, 2)
    assert.throws(() => reverted.append(reverted.file("/db/a"), Uint8Array.of(1)))
    const written = oneFile(2, [2])
    written.file("/db/a").sync("written")
    assert.strictEqual(hex(bytesAfter(written, {})), "01010202")
  })

  it.each(["dropped", "reverted"] as const)("all bytes of a file that were %s never come back whole", (model) => {
    const files = oneFile(0, [])
    const file = files.file("/db/a")
    const bytes = Uint8Array.from({ length: 40 }, (_, index) => index)
    files.append(file, bytes)
    file.sync(model)
    for (const chosen of outcomes) {
      for (let seed = 0; seed < 20; seed++) {
        const found = files.crash(chosen, new SeededRandom(seed)).get("/db/a")
        assert.notStrictEqual(hex(found), hex(bytes), `${chosen.name}, seed ${seed}`)
      }
    }
  })

  it("a crash changes nothing, and its image is a disk of which all is durable", () => {
    const files = oneFile(100, [600])
    const before = hex(bytesAfter(files, { data: "all" }))
    for (const chosen of outcomes) files.crash(chosen, new SeededRandom(5))
    assert.strictEqual(hex(bytesAfter(files, { data: "all" })), before)
    const image = files.crash(outcome({ data: "prefix" }), new SeededRandom(5))
    const next = new SimulatedFiles(image).crash(outcomes[0]!, new SeededRandom(1))
    assert.deepStrictEqual(next, image)
  })

  it("the same seed throws the same dice", () => {
    const files = oneFile(100, [600, 5000])
    files.create("/db/b")
    for (const chosen of outcomes) {
      const images = [1, 2].map(() => files.crash(chosen, new SeededRandom(77)))
      assert.deepStrictEqual(images[0], images[1], chosen.name)
    }
  })
})

describe("SeededRandom", () => {
  it("gives the numbers of xoshiro128** (checked against another implementation)", () => {
    const random = new SeededRandom(42)
    assert.deepStrictEqual([random.next32(), random.next32(), random.next32()], [3307805540, 3372134544, 2720785134])
  })

  it("is even, and differs between neighbouring seeds and above 2^32", () => {
    const counts = Array.from({ length: 10 }, () => 0)
    const random = new SeededRandom(7)
    for (let at = 0; at < 10_000; at++) counts[random.below(10)]! += 1
    for (const count of counts) assert.isTrue(count > 850 && count < 1150, counts.join(" "))
    const firsts = throws(1000, (seeded) => seeded.next32())
    assert.strictEqual(firsts.size, 1000)
    assert.notStrictEqual(new SeededRandom(1).next32(), new SeededRandom(2 ** 32 + 1).next32())
  })
})
