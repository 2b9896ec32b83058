// The judges of a simulated run refuse what no database may answer, and the cutter finds all there is to look at.
import { assert, describe, it } from "@effect/vitest"
import { SimulatedFiles } from "../../src/internal/structure/simulatedFiles.ts"
import { bytes } from "../support/model.ts"
import { explain } from "./conflicts.ts"
import { Cutter } from "./cuts.ts"
import { History } from "./history.ts"
import { generate } from "./generate.ts"
import { judgeCommitted, judgeLive, judgeReading, type Asked } from "./readings.ts"
import { Timeline, type TimedCommit } from "./timeline.ts"
import { RunClock, timesIn } from "./times.ts"

const set = (key: string, value: string, expiresAt?: number) => ({ key, value, expiresAt })

/** `a` is there until 100, `b` until 200; the third commit overwrites `a`. */
const commits: ReadonlyArray<TimedCommit> = [
  { id: 1, sequence: 10, writes: [set("61", "01", 100)] },
  { id: 2, sequence: 20, writes: [set("62", "02", 200)] },
  { id: 3, sequence: 30, writes: [set("61", "03")] }
]
const timeline = new Timeline(commits)
const get = (key: string, answer: string, submitted = 3): Asked => ({ ask: { read: "get", key }, answer, submitted })

describe("times", () => {
  it("are those at which something expires, and the first", () => {
    assert.deepStrictEqual(timesIn({ from: 50, to: 200 }, timeline.at(20)), [50, 100, 200])
    assert.deepStrictEqual(timesIn({ from: 100, to: 150 }, timeline.at(20)), [100])
  })

  it("reach up to the latest that the clock ever showed", () => {
    const clock = new RunClock(1000)
    clock.jump(500)
    clock.jump(-900)
    assert.deepStrictEqual([clock.now, clock.highest], [600, 1500])
  })
})

describe("what the database itself is asked", () => {
  const live = (asked: Asked, at: number) => judgeLive(timeline, { ...asked, at, time: { from: 50, to: 50 } })

  it("may be of any commit that was submitted before the answer", () => {
    live(get("61", "03"), 10)
    live(get("61", "01"), 10)
    assert.throws(() => live(get("61", "03", 2), 10), /of no moment since 10/)
  })

  it("is not older than what was acknowledged before the question", () =>
    assert.throws(() => live(get("61", "01"), 30), /of no moment since 30/))

  it("has expired at the end of its time, and not before", () => {
    const asked = { ...get("61", "nothing"), at: 20, submitted: 2 }
    judgeLive(timeline, { ...asked, time: { from: 50, to: 100 } })
    assert.throws(() => judgeLive(timeline, { ...asked, time: { from: 50, to: 99 } }), /of no moment/)
  })
})

describe("what a snapshot is asked", () => {
  const time = { from: 50, to: 300 }

  it("is of one time for all answers", () => {
    const right = [get("61", "nothing"), get("62", "02")]
    assert.deepStrictEqual(judgeReading(timeline, { at: 20, time, asked: right }), [100])
    const wrong = [get("61", "01"), get("62", "nothing")]
    assert.throws(() => judgeReading(timeline, { at: 20, time, asked: wrong }), /no one time/)
  })

  it("has a transaction's own writes over it, until they expire", () => {
    const asked = [{ ...get("62", "09"), own: [set("62", "09", 120)] }]
    assert.deepStrictEqual(judgeReading(timeline, { at: 20, time, asked }), [50, 100])
  })
})

describe("a transaction that committed", () => {
  const committed = (isolation: "serializable" | "snapshot", key: string) => {
    const reading = { at: 10, time: { from: 50, to: 50 }, asked: [get(key, "nothing")] }
    return judgeCommitted(timeline, { reading, sequence: 25, isolation, writes: [set("63", "05")] }, [50])
  }

  it("has read nothing that others wrote meanwhile, if it is serializable", () => {
    assert.throws(() => committed("serializable", "62"), /was not so when its transaction committed/)
    assert.isTrue(committed("snapshot", "62").isSkewed)
    assert.isFalse(committed("serializable", "64").isSkewed)
  })
})

describe("a conflict", () => {
  const removal = { id: 4, sequence: 40, writes: [{ removed: { prefix: bytes("62") } }] }
  const whole = new Timeline([...commits, removal])
  const conflicted = (
    asked: ReadonlyArray<Asked["ask"]>,
    given: { readonly at: number; readonly submitted?: number }
  ) =>
    explain(whole, {
      isolation: "serializable",
      reading: {
        at: given.at,
        time: { from: 50, to: 50 },
        asked: asked.map((ask) => ({ ask, answer: "", submitted: 4 }))
      },
      writes: [set("63", "05")],
      submitted: given.submitted ?? 4
    })
  const range = { read: "scan", range: { from: "61", to: "62" } } as const

  it("is with a key, with a range alone, or of a removal", () => {
    assert.deepStrictEqual(conflicted([range, { read: "get", key: "61" }], { at: 20 }), ["a conflict with a key"])
    assert.deepStrictEqual(conflicted([range], { at: 20 }), ["a conflict with a range"])
    const removed = conflicted([{ read: "get", key: "62" }], { at: 30 })
    assert.deepStrictEqual(removed, ["a conflict with a key", "a conflict of a range removal"])
  })

  it("is explained by nothing that was read by nobody, or that came later", () => {
    assert.deepStrictEqual(conflicted([{ read: "get", key: "63" }], { at: 20 }), [])
    assert.deepStrictEqual(conflicted([range], { at: 20, submitted: 2 }), [])
  })

  it("of isolation snapshot is about what was written", () => {
    const reading = { at: 20, time: { from: 50, to: 50 }, asked: [get("61", "01")] }
    const conflict = { isolation: "snapshot", reading, submitted: 4 } as const
    assert.deepStrictEqual(explain(whole, { ...conflict, writes: [set("63", "05")] }), [])
    assert.deepStrictEqual(explain(whole, { ...conflict, writes: [set("61", "05")] }), ["a conflict of two writes"])
  })
})

describe("a power cut", () => {
  const everything = { ...generate(1), crash: { share: 1000, nestedEvery: 0 } }
  const begun = () => {
    const history = new History()
    history.begin(0)
    const keys = { masters: [1], gone: [], generationMin: 1 }
    const clock = { from: 50, to: 50 }
    const files = new SimulatedFiles()
    const cutter = new Cutter({
      plan: everything,
      place: { session: 0, calls: [] },
      files: () => files,
      due: () => ({ promised: history.promised(), keys, copy: undefined, clock }),
      sights: () => []
    })
    return { cutter, history }
  }

  it("comes also when something was promised and nothing else happens", () => {
    const { cutter, history } = begun()
    history.onPromise = () => cutter.promised()
    const commit = history.submit([set("61", "01")], "os")
    cutter.after(7, ["append", "/db/log-1"])
    const before = cutter.cuts.length
    history.acknowledge(commit, { sequence: 1, commitMillis: 50 })
    const [first] = cutter.cuts.slice(before)
    assert.deepStrictEqual(first?.promised.told, 1)
    assert.deepStrictEqual(first?.place.calls[0]?.[2], 1)
  })

  it("is passed over only if nothing more is due of the same image", () => {
    const { cutter } = begun()
    cutter.after(7, ["append", "/db/log-1"])
    const before = cutter.cuts.length
    cutter.after(8, ["append", "/db/log-1"])
    assert.strictEqual(cutter.cuts.length, before)
  })
})

describe("a state that is found", () => {
  it("has all that was durable before somebody saw it", () => {
    const history = new History()
    history.begin(0)
    const [durable, buffered] = [history.submit([], "disk"), history.submit([], "buffered")]
    history.saw(2)
    const promised = history.promised()
    history.acknowledge(durable, { sequence: 1, commitMillis: 50 })
    history.acknowledge(buffered, { sequence: 2, commitMillis: 50 })
    const clock = { from: 50, to: 50 }
    history.judge(history.timeline().at(1), { promised, clock })
    assert.throws(() => history.judge([], { promised, clock }), /a commit that was seen is lost/)
  })
})
