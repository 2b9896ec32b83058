// The separated values that the entries of a block name, each with the record that must be theirs.
import { BlockReader } from "../format/block.ts"
import { makeEntryView } from "../format/blockEntry.ts"
import { Kind } from "../format/record.ts"
import { readHandle, type ValueHandle } from "../format/valueHandle.ts"

export interface NamedValue {
  readonly handle: ValueHandle
  readonly owner: {
    readonly bytes: Uint8Array
    readonly keyStart: number
    readonly keyEnd: number
    readonly sequence: number
  }
}

/** Of a block's plain bytes. They keep nothing of them. Throws `FormatError`. */
export const namedValues = (plain: Uint8Array): ReadonlyArray<NamedValue> => {
  const block = BlockReader.open(plain)
  const view = makeEntryView()
  const named: Array<NamedValue> = []
  for (let index = 0; index < block.count; index++) {
    block.read(index, view)
    if (view.kind !== Kind.valueHandle) continue
    const bytes = view.bytes.slice(view.keyStart, view.keyEnd)
    const owner = { bytes, keyStart: 0, keyEnd: bytes.length, sequence: view.sequence }
    named.push({ handle: readHandle(view.bytes, view.valueStart, view.valueEnd), owner })
  }
  return named
}
