import { assert, describe, it } from "@effect/vitest"
import {
  chooseCollection,
  collectionBudget,
  type CollectionChoice,
  type CollectionInput,
  collectionLimits
} from "../../../src/internal/structure/collectionPicker.ts"
import { SeededRandom } from "../../../src/internal/structure/random.ts"
import { type UsedFile, ValueReferences } from "../../../src/internal/structure/valueReferences.ts"

/** Files are at most 64 bytes, so a small one has fewer than 8. */
const limits = collectionLimits(64)

interface Example {
  readonly name: string
  /** Of each file, numbered from 1: its bytes and how many of them are live. */
  readonly files: ReadonlyArray<readonly [bytes: number, live: number]>
  readonly more?: Partial<Pick<CollectionInput<UsedFile>, "idle" | "budgetBytes" | "roomBytes" | "manual" | "left">>
  readonly choice: string
}

const shown = (choice: CollectionChoice<UsedFile>): string => {
  if (choice._tag === "Nothing") return "nothing"
  const numbers = choice.files.map(({ number }) => number).join(" ")
  return choice._tag === "Drop" ? `drop ${numbers}` : `collect ${numbers}: ${choice.bytes} (${choice.reason})`
}

const usageOf = (files: Example["files"]) => {
  const references = new ValueReferences()
  references.learn([
    { meta: { valueRefs: files.map(([, live], index) => ({ file: index + 1, count: live, bytes: live })) } }
  ])
  return files.map(([bytes], index) =>
    references.of({ number: index + 1, bytes, sections: [{ id: index + 1, count: bytes, bytes }] })
  )
}

const examples = (list: ReadonlyArray<Example>): void =>
  it.each(list)("$name", ({ choice, files, more }) => {
    const input = { files: usageOf(files), left: new Set<number>(), idle: false, budgetBytes: 1000, ...more }
    assert.strictEqual(shown(chooseCollection(input, limits)), choice)
  })

const all = [64, 64] as const

describe("files of values without bytes", () => {
  it("are collected where there is room for all of the file", () => {
    const references = new ValueReferences()
    references.learn([{ meta: { valueRefs: [{ file: 1, count: 1, bytes: 0 }] } }])
    const file = references.of({ number: 1, bytes: 30, sections: [{ id: 1, count: 3, bytes: 0 }] })
    const given = { files: [file], left: new Set<number>(), idle: true, budgetBytes: 1000 }
    assert.strictEqual(shown(chooseCollection({ ...given, roomBytes: 29 }, limits)), "nothing")
    assert.match(shown(chooseCollection({ ...given, roomBytes: 30 }, limits)), /^collect 1: 30 /)
  })
})

describe("files that nothing names", () => {
  examples([
    { name: "go first, however new they are", files: [[64, 10], [64, 0], all, [9, 0]], choice: "drop 2 4" },
    { name: "go when no byte may be written", files: [[64, 0]], more: { budgetBytes: -1 }, choice: "drop 1" },
    { name: "stay if they are damaged", files: [[64, 0]], more: { left: new Set([1]) }, choice: "nothing" }
  ])
})

describe("after a full disk was met", () => {
  const files = [[64, 30], [64, 20], [64, 0], [64, 14], all] as const
  const left = new Set([3])
  examples([
    { name: "what is dead goes, whatever is free", files, more: { roomBytes: 0 }, choice: "drop 3" },
    {
      name: "less is written at once",
      files,
      more: { left, roomBytes: 40 },
      choice: "collect 4 2: 34 (garbage)"
    },
    {
      name: "and nothing that is too large alone",
      files,
      more: { left, roomBytes: 19, idle: true, manual: { garbageRatioMin: 0, numberBelow: 9 } },
      choice: "collect 4: 14 (manual)"
    },
    { name: "nothing if all is", files, more: { left, roomBytes: 13, idle: true }, choice: "nothing" }
  ])
})

describe("under load", () => {
  examples([
    { name: "files with half of garbage stay", files: [[64, 32], all], choice: "nothing" },
    { name: "those with more go", files: [[64, 31], all], choice: "collect 1: 31 (garbage)" },
    {
      name: "but not while they are among the newest",
      files: [
        [64, 31],
        [63, 63]
      ],
      choice: "nothing"
    },
    {
      name: "the one with most garbage first, and what fits beside it into a file",
      files: [[64, 30], [64, 20], [64, 31], [64, 14], all],
      choice: "collect 4 2 1: 64 (garbage)"
    },
    {
      name: "not more than may be written now",
      files: [[64, 30], [64, 20], all],
      more: { budgetBytes: 29 },
      choice: "collect 2: 20 (garbage)"
    },
    { name: "nothing beyond", files: [[64, 31], all], more: { budgetBytes: 30 }, choice: "nothing" },
    {
      name: "one that is larger than a file goes alone",
      files: [[400, 150], [64, 31], all],
      choice: "collect 1: 150 (garbage)"
    },
    {
      name: "damaged ones are left",
      files: [[64, 31], [64, 20], all],
      more: { left: new Set([2]) },
      choice: "collect 1: 31 (garbage)"
    },
    {
      name: "small files stay",
      files: [
        [4, 4],
        [4, 4],
        [4, 4],
        [4, 4]
      ],
      choice: "nothing"
    }
  ])

  it("very many small files are merged, at most half a file of them", () => {
    const files = Array.from({ length: 512 }, () => [4, 4] as const)
    const input = { files: usageOf(files), left: new Set<number>(), idle: false, budgetBytes: 1000 }
    assert.strictEqual(shown(chooseCollection(input, limits)), "collect 1 2 3 4 5 6 7 8: 32 (smallFiles)")
    assert.strictEqual(shown(chooseCollection({ ...input, budgetBytes: 15 }, limits)), "nothing")
  })

  it("what collections write is a share of what was made, after the first", () => {
    assert.strictEqual(collectionBudget({ made: 0, collected: 0 }, limits), 64)
    assert.strictEqual(collectionBudget({ made: 100, collected: 80 }, limits), 64 + 125 - 80)
  })
})

describe("at rest", () => {
  const idle = { idle: true, budgetBytes: 0 }
  examples([
    { name: "files with a fifth of garbage stay", files: [[100, 80]], more: idle, choice: "nothing" },
    { name: "those with more go, however new", files: [[100, 79]], more: idle, choice: "collect 1: 79 (idleGarbage)" },
    {
      name: "those that go under load go first",
      files: [[64, 50], [64, 31], all],
      more: idle,
      choice: "collect 2: 31 (garbage)"
    },
    {
      name: "four small ones become one",
      files: [
        [5, 5],
        [6, 6],
        [64, 64],
        [7, 7],
        [5, 5]
      ],
      more: idle,
      choice: "collect 1 2 4 5: 23 (smallFiles)"
    },
    {
      name: "three stay",
      files: [
        [5, 5],
        [6, 6],
        [7, 7]
      ],
      more: idle,
      choice: "nothing"
    },
    {
      name: "those of an eighth of a file are not small",
      files: [
        [8, 8],
        [8, 8],
        [8, 8],
        [8, 8]
      ],
      more: idle,
      choice: "nothing"
    },
    {
      name: "those of about one size, the smallest first",
      files: [
        [5, 5],
        [5, 5],
        [5, 5],
        [1, 1],
        [1, 1],
        [1, 1],
        [1, 1],
        [5, 5]
      ],
      more: idle,
      choice: "collect 4 5 6 7: 4 (smallFiles)"
    },
    {
      name: "those of different sizes stay",
      files: [
        [5, 5],
        [5, 5],
        [5, 5],
        [1, 1],
        [1, 1],
        [1, 1]
      ],
      more: idle,
      choice: "nothing"
    }
  ])
})

describe("by hand", () => {
  const manual = (garbageRatioMin: number, numberBelow = 1000) => ({ manual: { garbageRatioMin, numberBelow } })
  examples([
    {
      name: "files with more garbage than asked for go",
      files: [[64, 60], all],
      more: manual(0),
      choice: "collect 1: 60 (manual)"
    },
    { name: "those with as much stay", files: [[100, 90]], more: manual(0.1), choice: "nothing" },
    { name: "those that are newer than the call stay", files: [all, [64, 60]], more: manual(0, 2), choice: "nothing" },
    {
      name: "those that nothing names and are newer than the call do not stand before what it asks for",
      files: [
        [64, 60],
        [64, 0]
      ],
      more: manual(0, 2),
      choice: "collect 1: 60 (manual)"
    },
    {
      name: "older ones that nothing names go first",
      files: [
        [64, 0],
        [64, 60]
      ],
      more: manual(0, 2),
      choice: "drop 1"
    },
    {
      name: "whatever may be written",
      files: [[64, 60]],
      more: { ...manual(0), budgetBytes: 0 },
      choice: "collect 1: 60 (manual)"
    }
  ])
})

describe("files of an older data key", () => {
  const generations = [3, 2, 1, 2, 3, 1]
  const chosen = (files: Example["files"], more: Partial<CollectionInput<UsedFile>> = {}): string => {
    const usage = usageOf(files).map((of, index) => ({
      ...of,
      file: { ...of.file, keyGeneration: generations[index % generations.length]! }
    }))
    const input = { files: usage, left: new Set<number>(), idle: false, budgetBytes: 0, ...more }
    return shown(chooseCollection(input, { ...limits, keyGeneration: 3 }))
  }
  const whole = (bytes: number) => [bytes, bytes] as const

  it("go whatever their garbage and whatever may be written, the oldest first, as many as fit one file", () => {
    assert.strictEqual(chosen([64, 64, 64, 64, 64, 64].map(whole)), "collect 3: 64 (olderKey)")
    assert.strictEqual(chosen([20, 20, 20, 20, 20, 20].map(whole)), "collect 3 6 2: 60 (olderKey)")
    assert.strictEqual(chosen([64, 64].map(whole)), "collect 2: 64 (olderKey)")
  })

  it("go after those with garbage, and stay if they are damaged", () => {
    assert.strictEqual(chosen([[64, 10], all, all], { idle: true }), "collect 1: 10 (garbage)")
    assert.strictEqual(chosen([all, all, all], { left: new Set([3]) }), "collect 2: 64 (olderKey)")
    assert.strictEqual(chosen([all]), "nothing")
  })

  it("go once each: there is an end", () => {
    let files = usageOf([64, 40, 30, 20, 64, 9, 9].map(whole)).map((of) => ({
      ...of,
      file: { ...of.file, keyGeneration: of.file.number % 3 }
    }))
    for (let count = 0; ; count++) {
      assert.isAtMost(count, 7)
      const input = { files, left: new Set<number>(), idle: false, budgetBytes: 0 }
      const choice = chooseCollection(input, { ...limits, keyGeneration: 3 })
      if (choice._tag !== "Collect") break
      files = files.map((of) =>
        choice.files.includes(of.file) ? { ...of, file: { ...of.file, keyGeneration: 3 } } : of
      )
    }
    assert.isTrue(files.every(({ file }) => file.keyGeneration === 3))
  })
})

describe("the references of files", () => {
  it("are those of the tables, however these come and go", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = new SeededRandom(seed)
      const table = () => ({
        meta: {
          valueRefs: Array.from({ length: random.below(6) }, (_, file) => {
            const count = 1 + random.below(3)
            return { file, count, bytes: count * random.below(9) }
          })
        }
      })
      const references = new ValueReferences()
      let tables: ReadonlyArray<ReturnType<typeof table>> = []
      for (let round = 0; round < 20; round++) {
        tables = [...tables.filter(() => random.chance(0.7)), ...Array.from({ length: random.below(4) }, table)]
        references.learn(tables)
        const fresh = new ValueReferences()
        fresh.learn(tables)
        const file = { number: 9, bytes: 500, sections: [0, 2, 5].map((id) => ({ id, count: 50, bytes: 400 })) }
        const own = tables.flatMap(({ meta }) => meta.valueRefs.filter((refs) => [0, 2, 5].includes(refs.file)))
        assert.deepStrictEqual(references.of(file), fresh.of(file), `seed ${seed}`)
        assert.strictEqual(
          references.of(file).liveBytes,
          own.reduce((sum, { bytes }) => sum + bytes, 0),
          `seed ${seed}`
        )
        assert.strictEqual(
          references.of(file).liveCount,
          own.reduce((sum, { count }) => sum + count, 0),
          `seed ${seed}`
        )
      }
    }
  })

  it("are all garbage where none is left, and none where no value is dead, whatever their lengths", () => {
    const references = new ValueReferences()
    references.learn([{ meta: { valueRefs: [{ file: 1, count: 2, bytes: 0 }] } }])
    const file = (id: number, count: number, bytes: number) => ({
      number: id,
      bytes: 99,
      sections: [{ id, count, bytes }]
    })
    assert.strictEqual(references.of(file(1, 2, 0)).garbageRatio, 0)
    assert.strictEqual(references.of(file(1, 3, 0)).garbageRatio, 0.5)
    assert.strictEqual(references.of(file(1, 3, 10)).garbageRatio, 1)
    assert.strictEqual(references.of(file(2, 3, 0)).garbageRatio, 1)
  })
})
