// A codec as a module of a user's: runs of a byte as the byte and how often, up to 255 times.

export const compress = (plain: Uint8Array): Uint8Array => {
  const body: Array<number> = []
  for (let at = 0; at < plain.length;) {
    let end = at
    while (end < plain.length && end - at < 255 && plain[end] === plain[at]) end += 1
    body.push(plain[at]!, end - at)
    at = end
  }
  return Uint8Array.from(body)
}

export const decompress = (body: Uint8Array, plainLength: number): Uint8Array => {
  const plain = new Uint8Array(plainLength)
  let at = 0
  for (let index = 0; index < body.length; index += 2) {
    if (at + body[index + 1]! > plainLength) throw new Error("too long")
    plain.fill(body[index]!, at, at + body[index + 1]!)
    at += body[index + 1]!
  }
  return plain.subarray(0, at)
}
