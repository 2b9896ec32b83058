import { describe, expect, it } from "@effect/vitest"
import * as FileName from "../../../src/internal/format/fileName.ts"

describe("fileName", () => {
  it.each([
    [FileName.logFileName(1), "log-0000000000000001.wal", "log", 1],
    [FileName.tableFileName(0xabcdef), "table-0000000000abcdef.sst", "table", 0xabcdef],
    [FileName.valueFileName(0x10), "value-0000000000000010.val", "value", 16],
    [FileName.manifestFileName(2 ** 53 - 1), "manifest-001fffffffffffff.man", "manifest", 2 ** 53 - 1],
    [FileName.markerFileName(0), "current-0000000000000000.mark", "marker", 0],
    [FileName.ballastFileName(255), "ballast-00000000000000ff.bal", "ballast", 255],
    [FileName.keyringFileName(9), "keyring-0000000000000009.ring", "keyring", 9],
    [FileName.lockFileName(0), "lock-0.sock", "lock", 0],
    [FileName.lockFileName(120), "lock-120.sock", "lock", 120]
  ])("%s", (name, expected, kind, number) => {
    expect(name).toBe(expected)
    expect(FileName.parseFileName(name)).toEqual({ kind, number })
  })

  it.each([
    "",
    ".DS_Store",
    "._log-0000000000000001.wal",
    "log-1.wal",
    "log-000000000000000A.wal",
    "LOG-0000000000000001.wal",
    "log-0000000000000001.wal.bak",
    "log-0000000000000001.wal\n",
    "log-0000000000000001.sst",
    "value-0000000000000001.sst",
    "table-0000000000000001.wal",
    "log-0020000000000000.wal",
    "log-ffffffffffffffff.wal",
    "../log-0000000000000001.wal",
    "ballast-0000000000000001.wal",
    "log-0000000000000001.bal",
    "keyring-0000000000000001.sst",
    "keyring-1.ring",
    "lock-01.sock",
    "lock-.sock",
    "lock--1.sock",
    "lock-9999999999999999.sock",
    "constructor-0000000000000001.wal"
  ])("%j is not ours", (name) => {
    expect(FileName.parseFileName(name)).toBeUndefined()
  })
})
