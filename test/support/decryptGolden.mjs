// Decrypts the files of an encrypted database, by what the headers of src/internal/format/*.ts say, and by none of
// Strata's code: `node decryptGolden.mjs DIRECTORY HEX_OF_THE_MASTER_KEY` prints what is in them as JSON.
//
// It reads what the golden database has: a raw master key, blocks that are not compressed, indexes without partitions.
// Every tag, checksum and chain on the way is checked; what does not match, throws.
import * as crypto from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import * as zlib from "node:zlib"

const [directory, masterHex] = process.argv.slice(2)
const kinds = { log: 1, table: 2, value: 3, manifest: 4, current: 5, keyring: 6 }
const headerBytes = 96
const tagBytes = 20

const check = (holds, what) => {
  if (!holds) throw new Error(what)
}
const text = (bytes) => bytes.toString("latin1")

/** A place in bytes, and the fields that stand there. */
class Fields {
  constructor(bytes) {
    this.bytes = bytes
    this.at = 0
  }
  raw(length) {
    check(this.at + length <= this.bytes.length, "cut off")
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }
  u8 = () => this.raw(1)[0]
  u16 = () => this.raw(2).readUInt16LE(0)
  u32 = () => this.raw(4).readUInt32LE(0)
  u48 = () => this.raw(6).readUIntLE(0, 6)
  u64 = () => Number(this.raw(8).readBigUInt64LE(0))
  f64 = () => this.raw(8).readDoubleLE(0)
  sized = () => this.raw(this.varint())
  varint() {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = this.u8()
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  get left() {
    return this.bytes.length - this.at
  }
  /** All that is left, read again and again. */
  all = (read) => {
    const found = []
    while (this.left > 0) found.push(read(this))
    return found
  }
  times = (count, read) => Array.from({ length: count }, () => read(this))
}

const hkdf = (key, salt, info) => Buffer.from(crypto.hkdfSync("sha256", key, salt, info, 32))
const nonceOf = (purpose, counter) => {
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32LE(purpose, 0)
  nonce.writeUInt32LE(counter, 4)
  return nonce
}
const decrypt = (key, nonce, associated, body, tag) => {
  const decipher = crypto.createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 })
  decipher.setAAD(associated)
  decipher.setAuthTag(tag)
  return Buffer.concat([decipher.update(body), decipher.final()])
}

const headerOf = (bytes, kind) => {
  const fields = new Fields(bytes)
  check(text(fields.raw(8)) === "STRATA\r\n", "magic")
  const header = { format: fields.u16(), kind: fields.u8(), tagBytes: fields.u8(), keyGeneration: fields.u32() }
  Object.assign(header, { databaseId: fields.raw(16), incarnation: fields.raw(16) })
  Object.assign(header, { epoch: fields.u32(), fileNumber: fields.u64(), fileId: fields.raw(32) })
  check(zlib.crc32(bytes.subarray(0, 92)) === fields.u32(), "the header's checksum")
  check(header.format === 0 && header.kind === kind, "format and kind")
  return { ...header, associated: bytes.subarray(0, 92) }
}

const keyringOf = (bytes) => {
  const header = headerOf(bytes, kinds.keyring)
  const master = Buffer.from(masterHex, "hex")
  const fields = new Fields(bytes.subarray(headerBytes))
  const ring = new Fields(fields.raw(fields.u32()))
  const covered = bytes.subarray(0, bytes.length - 36)
  check(ring.u8() === 0 && ring.sized().length === 0, "a raw master key")
  const salt = ring.raw(32)
  const [wrap, mac, commitment] = ["wrap", "mac", "commit"].map((use) => hkdf(master, salt, `strata keyring ${use} v0`))
  check(ring.raw(32).equals(commitment), "the commitment")
  check(crypto.createHmac("sha256", mac).update(covered).digest().equals(fields.raw(32)), "the mac")
  check(fields.u32() === zlib.crc32(bytes.subarray(0, bytes.length - 4)), "the keyring's checksum")
  const keys = ring.times(ring.varint(), () => {
    const start = ring.at
    const facts = { generation: ring.u32(), createdSequence: ring.varint(), createdMillis: ring.f64() }
    const associated = Buffer.concat([header.associated, ring.bytes.subarray(start, ring.at)])
    return { ...facts, associated, wrapped: ring.raw(32), tag: ring.raw(16) }
  })
  const dataKeys = new Map()
  for (const [index, { associated, generation, tag, wrapped }] of keys.entries()) {
    dataKeys.set(generation, decrypt(wrap, nonceOf(kinds.keyring, index + 1), associated, wrapped, tag))
  }
  const generations = keys.map(({ createdSequence, generation }) => ({ generation, createdSequence }))
  return { dataKeys, facts: { number: header.fileNumber, generations } }
}

/** Opens the pieces of one file. */
const opener = (header, dataKeys) => {
  check(header.tagBytes === tagBytes, "an encrypted file")
  const info = Buffer.concat([Buffer.from("strata|v0|"), header.databaseId, Buffer.of(header.kind)])
  const key = hkdf(dataKeys.get(header.keyGeneration), header.fileId, info)
  const open = (associated, body, tag) =>
    decrypt(key, nonceOf(header.kind, tag.readUInt32LE(16)), associated, body, tag.subarray(0, 16))
  const block = (bytes, offset, length, layout) => {
    const stored = new Fields(bytes.subarray(offset, offset + length))
    const body = stored.raw(length - 6 - tagBytes)
    const trailer = stored.raw(6)
    const place = Buffer.alloc(12)
    header.fileId.copy(place, 0, 0, 4)
    place.writeBigUInt64LE(BigInt(offset), 4)
    const plain = open(Buffer.concat([place, trailer]), body, stored.raw(tagBytes))
    check(trailer[0] === layout && trailer[1] === 0 && trailer.readUInt32LE(2) === plain.length, "the trailer")
    return plain
  }
  return { open, block }
}

const markerOf = (bytes, header, { open }) => {
  const fields = new Fields(open(header.associated, bytes.subarray(headerBytes, -tagBytes), bytes.subarray(-tagBytes)))
  const marker = { manifestNumber: fields.u64(), manifestBytes: fields.u64(), manifestFileId: fields.raw(32) }
  return { ...marker, manifestFileId: marker.manifestFileId.toString("hex") }
}

const chainOf = (frameHeader, tag) => zlib.crc32(Buffer.concat([tag, frameHeader]))

const framesOf = (bytes, sizeOfHeader, open) => {
  const fields = new Fields(bytes)
  fields.raw(headerBytes)
  let chain = bytes.readUInt32LE(92)
  return fields.all(() => {
    const header = fields.raw(sizeOfHeader)
    check(header.readUInt32LE(0) === zlib.crc32(header.subarray(4)), "a frame header's checksum")
    check(header.readUInt32LE(sizeOfHeader - 4) === chain, "the chain")
    const body = fields.raw(header.readUInt32LE(4))
    const tag = fields.raw(tagBytes)
    chain = chainOf(header, tag)
    return { header, plain: open(header, body, tag) }
  })
}

const tableMeta = (fields) => {
  const names = (given) => Object.fromEntries(given.map((name) => [name, fields.varint()]))
  const meta = names(["number", "level", "bytes"])
  Object.assign(meta, { fileId: fields.raw(32).toString("hex"), footerCrc: fields.u32() })
  Object.assign(meta, { smallest: text(fields.sized()), largest: text(fields.sized()) })
  const counts = ["entryCount", "removeCount", "rangeRemovalCount", "hiddenCount"]
  Object.assign(meta, names([...counts, "sequenceMin", "sequenceMax", "epoch", "keyGeneration", "codec"]))
  const refs = fields.times(fields.varint(), () => names(["file", "count", "bytes"]))
  return { ...meta, refs }
}

const valueFileMeta = (fields) => {
  const meta = { number: fields.varint(), bytes: fields.varint(), fileId: fields.raw(32).toString("hex") }
  Object.assign(meta, { footerCrc: fields.u32(), epoch: fields.varint(), keyGeneration: fields.varint() })
  const section = () => ({ id: fields.varint(), count: fields.varint(), bytes: fields.varint() })
  return { ...meta, sections: fields.times(fields.varint(), section) }
}

const number = (fields) => fields.varint()
const editFields = new Map([
  [2, ["encryptionName", (fields) => text(fields.raw(fields.left))]],
  [6, ["logNumberMin", number]],
  [8, ["fileNumberNext", number]],
  [10, ["sequencesReserved", number]],
  [12, ["addTable", tableMeta]],
  [16, ["cleanShutdown", (fields) => ({ lastLsn: fields.varint(), lastSequence: fields.varint() })]],
  [18, ["commitMillisMax", (fields) => fields.f64()]],
  [20, ["snapshotEnd", () => true]],
  [22, ["lsnDurable", number]],
  [26, ["historyFloor", number]],
  [28, ["epoch", number]],
  [30, ["addValueFile", valueFileMeta]],
  [36, ["epochId", (fields) => fields.raw(16).toString("hex")]],
  [38, ["keyringNumber", number]]
])

const manifestOf = (bytes, header, { open }) =>
  framesOf(bytes, 20, (frame, body, tag) => open(Buffer.concat([header.associated, frame]), body, tag)).map(
    ({ header, plain }, ordinal) => {
      check(header.readUInt32LE(8) === ordinal, "the ordinal")
      return new Fields(plain).all((edit) => {
        const [name, read] = editFields.get(edit.varint())
        return { [name]: read(new Fields(edit.sized())) }
      })
    }
  )

const recordKinds = ["remove", "set", "removeRange", "valueHandle"]

const recordOf = (kind, key, flags, fields) => {
  const record = { kind: recordKinds[kind], key: text(key) }
  if (kind !== 0) Object.assign(record, valueOf(kind, fields.sized()))
  if (flags & 1) record.expiresAt = fields.varint()
  if (flags & 2) record.userMeta = fields.u8()
  return record
}

const valueOf = (kind, value) => {
  if (kind !== 3) return { value: text(value) }
  const handle = new Fields(value)
  const named = { file: handle.varint(), index: handle.varint(), length: handle.varint() }
  return { handle: handle.left > 0 ? { ...named, fileTag: handle.u32() } : named }
}

const commitsOf = (payload) =>
  new Fields(payload).all((fields) => {
    const commit = new Fields(fields.raw(fields.bytes.readUInt32LE(fields.at)))
    const [, count, sequence] = [commit.u32(), commit.u32(), commit.u64()]
    commit.f64()
    const record = () => {
      const [kind, flags] = [commit.u8(), commit.u8()]
      return recordOf(kind, commit.sized(), flags, commit)
    }
    return { sequence, records: commit.times(count, record) }
  })

const frameKinds = ["", "full", "first", "middle", "last", "sealed", "syncMark", "link"]

const logOf = (bytes, header, { open }) =>
  framesOf(bytes, 36, (frame, body, tag) =>
    open(frame[8] === 7 ? Buffer.concat([header.associated, frame]) : frame, body, tag)
  ).map(({ header, plain }) => {
    const kind = frameKinds[header[8]]
    const frame = { kind, lsn: Number(header.readBigUInt64LE(12)), syncedLsn: Number(header.readBigUInt64LE(20)) }
    return kind === "full" ? { ...frame, commits: commitsOf(plain) } : frame
  })

const entriesOf = (plain) => {
  const end = plain.length - 12
  const [count, baseSequence] = [plain.readUInt32LE(end), Number(plain.readBigUInt64LE(end + 4))]
  const fields = new Fields(plain.subarray(0, end - 4 * count))
  return fields.all(() => {
    const key = fields.sized()
    const [kind, flags, delta] = [fields.u8(), fields.u8(), fields.varint()]
    return { sequence: baseSequence + delta, ...recordOf(kind, key, flags, fields) }
  })
}

const tableOf = (bytes, header, { block, open }) => {
  const footerAt = bytes.length - 66 - tagBytes
  const footer = new Fields(open(header.associated, bytes.subarray(footerAt, -tagBytes), bytes.subarray(-tagBytes)))
  const names = ["filter", "partitions", "index", "rangeRemovals", "valueRefs", "properties"]
  const sections = { blocks: { offset: headerBytes, bytes: footer.u64() } }
  let offset = headerBytes + sections.blocks.bytes
  for (const name of names) {
    sections[name] = { offset, bytes: footer.u32() }
    offset += sections[name].bytes
  }
  check(offset === footerAt && sections.partitions.bytes === 0, "the sections of a table without partitions")
  const section = ({ bytes: length, offset }, layout) =>
    length === 0 ? new Fields(Buffer.alloc(0)) : new Fields(block(bytes, offset, length, layout))
  const index = section(sections.index, 2)
  let at = headerBytes
  const entries = index.times(index.u32(), () => {
    const length = index.u32()
    index.sized()
    at += length
    return entriesOf(block(bytes, at - length, length, 1))
  })
  const removals = section(sections.rangeRemovals, 4)
  const removal = () => ({ from: text(removals.sized()), to: text(removals.sized()), sequence: removals.varint() })
  section(sections.filter, 3)
  section(sections.valueRefs, 10)
  section(sections.properties, 5)
  return { entries: entries.flat(), removals: removals.left > 0 ? removals.times(removals.varint(), removal) : [] }
}

const valueFileOf = (bytes, header, { block, open }) => {
  const footerAt = bytes.length - 50 - tagBytes
  const footer = new Fields(open(header.associated, bytes.subarray(footerAt, -tagBytes), bytes.subarray(-tagBytes)))
  const [valuesBytes, indexBytes, topBytes] = [footer.u64(), footer.u32(), footer.u32()]
  const topAt = headerBytes + valuesBytes + indexBytes
  const top = new Fields(block(bytes, topAt, topBytes, 9))
  let indexAt = headerBytes + valuesBytes
  return top.times(top.varint(), () => {
    const [id] = [top.varint(), top.varint(), top.varint()]
    const values = top.times(top.varint(), () => {
      top.varint()
      const length = top.varint()
      indexAt += length
      const index = new Fields(block(bytes, indexAt - length, length, 8))
      return index.all(() => {
        const [ordinal, offset, storedBytes] = [index.u32(), index.u48(), index.u32()]
        const length = bytes.readUInt32LE(offset)
        check(storedBytes === 4 + length, "a value of one piece")
        const value = new Fields(block(bytes, offset + 4, length, 7))
        const [sequence, key] = [value.varint(), text(value.sized())]
        return { index: ordinal, sequence, key, value: text(value.raw(value.left)) }
      })
    })
    return { id, values: values.flat() }
  })
}

const readers = { log: logOf, table: tableOf, value: valueFileOf, manifest: manifestOf, current: markerOf }

const names = fs.readdirSync(directory).sort()
const ringName = names.find((name) => name.endsWith(".ring"))
const { dataKeys, facts } = keyringOf(fs.readFileSync(path.join(directory, ringName)))
const found = { [ringName]: facts }
for (const name of names.filter((name) => name !== ringName)) {
  const bytes = fs.readFileSync(path.join(directory, name))
  const kind = name.split("-")[0]
  const header = headerOf(bytes, kinds[kind])
  check(header.fileNumber === parseInt(name.split("-")[1], 16), "the number in the name")
  found[name] = readers[kind](bytes, header, opener(header, dataKeys))
}
process.stdout.write(JSON.stringify(found, undefined, 1))
