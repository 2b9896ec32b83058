import { describe, expect, it } from "@effect/vitest"
import { Arena, type ArenaLike, GrowingArena } from "../../../src/internal/structure/arena.ts"
import { manySeeds } from "../format/support.ts"

const makers: ReadonlyArray<[string, (bytesMax: number) => ArenaLike]> = [
  ["Arena on an ArrayBuffer", (bytesMax) => new Arena(new ArrayBuffer(bytesMax))],
  ["Arena on a SharedArrayBuffer", (bytesMax) => new Arena(new SharedArrayBuffer(bytesMax))],
  ["GrowingArena", (bytesMax) => new GrowingArena({ bytesInitial: 3, bytesMax })]
]

describe.each(makers)("%s", (_, make) => {
  it("hands out every byte once, keeps what was written, and is full at its capacity", () => {
    manySeeds(200, (dice) => {
      const arena = make(dice.below(300))
      const pieces: Array<{ offset: number; bytes: Uint8Array }> = []
      for (let turn = 0; turn < 40; turn++) {
        const bytes = dice.bytes(dice.below(30))
        const used = arena.used
        const offset = arena.reserve(bytes.length)
        expect(offset).toBe(used + bytes.length <= arena.capacity ? used : -1)
        if (offset < 0) {
          expect(arena.used).toBe(used)
          continue
        }
        arena.bytes.set(bytes, offset)
        pieces.push({ offset, bytes })
      }
      expect(arena.used).toBe(pieces.reduce((sum, { bytes }) => sum + bytes.length, 0))
      for (const { bytes, offset } of pieces) {
        expect(arena.bytes.slice(offset, offset + bytes.length)).toEqual(bytes)
      }
      arena.reset()
      expect(arena.reserve(arena.capacity)).toBe(0)
    })
  })

  it("refuses a negative number of bytes as our own mistake", () => {
    expect(() => make(10).reserve(-1)).toThrow("assertion failed")
  })
})

describe("GrowingArena", () => {
  it("takes no more than twice what is used, never more than its maximum, and gives it back at reset", () => {
    const arena = new GrowingArena({ bytesInitial: 64, bytesMax: 10_000 })
    expect(arena.bytes.length).toBe(64)
    while (arena.reserve(7) >= 0) {
      expect(arena.bytes.length).toBeLessThanOrEqual(Math.min(Math.max(arena.used * 2, 64), 10_000))
    }
    expect(arena.used).toBe(9996)
    expect(arena.bytes.length).toBe(10_000)
    arena.reset()
    expect(arena.bytes.length).toBe(64)
  })
})
