// What goes wrong with the simulated disk while clients work: it is full for some time, it refuses an append, or a sync
// fails, or takes its time. What the database says of a commit then must be true: not made, or unknown.
import { Effect } from "effect"
import type { SyncModel } from "../../src/internal/structure/simulatedFiles.ts"
import type { SimDisk } from "../../src/layers/SimDisk.ts"
import type { Dice } from "../support/randomPlan.ts"

const syncModels: ReadonlyArray<SyncModel> = ["dropped", "reverted", "written"]

const capacityBytes = 2 ** 40

/** Full again and again, each time with room for a little more than there is. */
export const fullAtTimes = (device: SimDisk, dice: Dice): Effect.Effect<never> => {
  const once = Effect.gen(function* () {
    yield* Effect.sleep(5 + dice.below(100))
    device.setCapacity(device.files.bytes + dice.below(2000))
    yield* Effect.sleep(1 + dice.below(150))
    device.setCapacity(capacityBytes)
  })
  return Effect.forever(once).pipe(Effect.ensuring(Effect.sync(() => device.setCapacity(capacityBytes))))
}

/** Appends to the log fail now and then, after some of their bytes. */
export const refusingAtTimes = (device: SimDisk, dice: Dice): Effect.Effect<never> =>
  Effect.forever(
    Effect.gen(function* () {
      yield* Effect.sleep(5 + dice.below(100))
      device.addFault({ operation: "append", pathPart: "/log-", code: "EIO", bytesAccepted: dice.below(60) })
    })
  ).pipe(Effect.ensuring(Effect.sync(() => device.clearFaults())))

/** The next sync of the log fails. */
export const failSync = (device: SimDisk, dice: Dice): void =>
  device.addFault({ operation: "sync", pathPart: "/log-", code: "EIO", syncModel: dice.pick(syncModels) })

/** The log's syncs take as long as some transactions. */
export const slowSyncs = (device: SimDisk): void =>
  device.addFault({ operation: "sync", pathPart: "/log-", sticky: true, delayMillis: [0, 40] })
