import { describe, it } from "@effect/vitest"
import { keyspaceBytes, readKeyspace, writeKeyspace } from "../../../src/internal/format/keyspace.ts"
import { attempt, failure, hex, manySeeds, same, unhex } from "./support.ts"

const encode = (keyspace: number): Uint8Array => {
  const target = new Uint8Array(8)
  return target.slice(0, writeKeyspace(target, 0, keyspace))
}

describe("keyspace", () => {
  it.each([
    { keyspace: 0, bytes: "00" },
    { keyspace: 1, bytes: "01" },
    { keyspace: 239, bytes: "ef" },
    { keyspace: 240, bytes: "f000" },
    { keyspace: 2287, bytes: "f7ff" },
    { keyspace: 2288, bytes: "f80000" },
    { keyspace: 67823, bytes: "f8ffff" },
    { keyspace: 67824, bytes: "f90108f0" },
    { keyspace: 2 ** 24 - 1, bytes: "f9ffffff" },
    { keyspace: 2 ** 24, bytes: "fa01000000" },
    { keyspace: 2 ** 32 - 1, bytes: "faffffffff" }
  ])("$keyspace is $bytes", ({ bytes, keyspace }) => {
    same(hex(encode(keyspace)), bytes)
    same(readKeyspace(unhex(bytes), 0, bytes.length / 2), keyspace)
    same(keyspaceBytes(keyspace), bytes.length / 2)
  })

  it("sorts as the numbers do", () => {
    manySeeds(20_000, (dice) => {
      const a = dice.u32() >>> dice.below(32)
      const b = dice.chance(0.3) ? a + 1 : dice.u32() >>> dice.below(32)
      if (b > 0xffffffff) return
      same(Buffer.compare(encode(a), encode(b)), Math.sign(a - b))
      same(readKeyspace(encode(a), 0, 8), a)
    })
  })

  it.each(["", "f0", "f800", "f9000001", "f90108ef", "fa00ffffff", "fb0000000000", "ff"])(
    "%s is refused: cut off, longer than need be or unknown",
    (bytes) => {
      failure(() => readKeyspace(unhex(bytes), 0, bytes.length / 2))
    }
  )

  it("reads random bytes as a canonical number or refuses them", () => {
    manySeeds(20_000, (dice) => {
      const bytes = dice.bytes(dice.below(6))
      if (bytes.length > 0 && dice.chance(0.7)) bytes[0] |= 0xf0
      const result = attempt(() => readKeyspace(bytes, 0, bytes.length))
      if ("value" in result) same(hex(encode(result.value)), hex(bytes.subarray(0, keyspaceBytes(result.value))))
    })
  })
})
