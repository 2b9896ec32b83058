// Published test vectors, as hex, typed in from where they stand:
//
//   AES-256-GCM  NIST CAVP gcmEncryptExtIV256.rsp (sections by length, count 0 of each); the cases 13 to 16 of McGrew
//                and Viega, "The Galois/Counter Mode of Operation"; Wycheproof aes_gcm_test (256-bit keys, nonces of
//                96 bits), its first case and one whose tags it changes
//   HKDF         RFC 5869, appendix A.1 to A.3
//   HMAC         RFC 4231, 4.2 to 4.4
//   scrypt       RFC 7914, section 12 (without the last, which takes 1 GiB)
//   argon2id     RFC 9106, section 5.3, and those of the reference implementation's test.c that have no secret

export interface GcmVector {
  readonly name: string
  readonly key: string
  readonly nonce: string
  readonly associated: string
  readonly plain: string
  readonly body: string
  readonly tag: string
}

const viegaKey = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
const viegaPlain =
  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
const viegaBody =
  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" +
  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"

export const gcmVectors: ReadonlyArray<GcmVector> = [
  {
    name: "CAVP, no bytes at all",
    key: "b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4",
    nonce: "516c33929df5a3284ff463d7",
    associated: "",
    plain: "",
    body: "",
    tag: "bdc1ac884d332457a1d2664f168c76f0"
  },
  {
    name: "CAVP, 16 bytes",
    key: "31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22",
    nonce: "0d18e06c7c725ac9e362e1ce",
    associated: "",
    plain: "2db5168e932556f8089a0622981d017d",
    body: "fa4362189661d163fcd6a56d8bf0405a",
    tag: "d636ac1bbedd5cc3ee727dc2ab4a9489"
  },
  {
    name: "CAVP, 16 bytes and 16 associated",
    key: "92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b",
    nonce: "ac93a1a6145299bde902f21a",
    associated: "1e0889016f67601c8ebea4943bc23ad6",
    plain: "2d71bcfa914e4ac045b2aa60955fad24",
    body: "8995ae2e6df3dbf96fac7b7137bae67f",
    tag: "eca5aa77d51d4a0a14d9c51e1da474ab"
  },
  {
    name: "McGrew and Viega 13",
    key: "00".repeat(32),
    nonce: "00".repeat(12),
    associated: "",
    plain: "",
    body: "",
    tag: "530f8afbc74536b9a963b4f1c4cb738b"
  },
  {
    name: "McGrew and Viega 14",
    key: "00".repeat(32),
    nonce: "00".repeat(12),
    associated: "",
    plain: "00".repeat(16),
    body: "cea7403d4d606b6e074ec5d3baf39d18",
    tag: "d0d1c8a799996bf0265b98b5d48ab919"
  },
  {
    name: "McGrew and Viega 15",
    key: viegaKey,
    nonce: "cafebabefacedbaddecaf888",
    associated: "",
    plain: viegaPlain,
    body: viegaBody,
    tag: "b094dac5d93471bdec1a502270e3cc6c"
  },
  {
    name: "McGrew and Viega 16, the last block not whole",
    key: viegaKey,
    nonce: "cafebabefacedbaddecaf888",
    associated: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    plain: viegaPlain.slice(0, 120),
    body: viegaBody.slice(0, 120),
    tag: "76fc6ece0f4e1768cddf8853bb2d551b"
  },
  {
    name: "Wycheproof, short",
    key: "92ace3e348cd821092cd921aa3546374299ab46209691bc28b8752d17f123c20",
    nonce: "00112233445566778899aabb",
    associated: "00000000ffffffff",
    plain: "00010203040506070809",
    body: "e27abdd2d2a53d2f136b",
    tag: "9a4a2579529301bcfb71c78d4060f52c"
  },
  {
    name: "Wycheproof, whose tags are changed below",
    key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    nonce: "505152535455565758595a5b",
    associated: "",
    plain: "202122232425262728292a2b2c2d2e2f",
    body: "b2061457c0759fc1749f174ee1ccadfa",
    tag: "9ce8fef6d8ab1bf1bf887232eab590dd"
  }
]

/** Tags of the last vector that must be refused: flipped bits, all of them flipped, all zero, all one. */
export const wrongTags: ReadonlyArray<string> = [
  "9de8fef6d8ab1bf1bf887232eab590dd",
  "9ee8fef6d8ab1bf1bf887232eab590dd",
  "1ce8fef6d8ab1bf1bf887232eab590dd",
  "9ce9fef6d8ab1bf1bf887232eab590dd",
  "9ce8fef6d8ab1bf13f887232eab590dd",
  "9ce8fef6d8ab1bf1bf887232eab5905d",
  "631701092754e40e40778dcd154a6f22",
  "00".repeat(16),
  "ff".repeat(16)
]

export interface HkdfVector {
  readonly name: string
  readonly key: string
  readonly salt: string
  readonly info: string
  readonly output: string
}

const counting = (from: number, count: number): string =>
  Array.from({ length: count }, (_, index) => (from + index).toString(16).padStart(2, "0")).join("")

export const hkdfVectors: ReadonlyArray<HkdfVector> = [
  {
    name: "A.1",
    key: "0b".repeat(22),
    salt: counting(0x00, 13),
    info: counting(0xf0, 10),
    output: "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
  },
  {
    name: "A.2",
    key: counting(0x00, 80),
    salt: counting(0x60, 80),
    info: counting(0xb0, 80),
    output:
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09" +
      "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
  },
  {
    name: "A.3",
    key: "0b".repeat(22),
    salt: "",
    info: "",
    output: "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
  }
]

export const hmacVectors: ReadonlyArray<{ readonly key: string; readonly bytes: string; readonly mac: string }> = [
  {
    key: "0b".repeat(20),
    bytes: "4869205468657265",
    mac: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
  },
  {
    key: "4a656665",
    bytes: "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
    mac: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
  },
  {
    key: "aa".repeat(20),
    bytes: "dd".repeat(50),
    mac: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
  }
]

/** The first 32 of the 64 bytes given there: a longer output of scrypt begins with the shorter. */
export const scryptVectors = [
  {
    passphrase: "",
    salt: "",
    costLog2: 4,
    blockSize: 1,
    parallelism: 1,
    output: "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
  },
  {
    passphrase: "password",
    salt: "NaCl",
    costLog2: 10,
    blockSize: 8,
    parallelism: 16,
    output: "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
  },
  {
    passphrase: "pleaseletmein",
    salt: "SodiumChloride",
    costLog2: 14,
    blockSize: 8,
    parallelism: 1,
    output: "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
  }
]

/** Of RFC 9106; it has a secret and associated data, which Strata does not use. */
export const argon2idWithSecret = {
  message: "01".repeat(32),
  nonce: "02".repeat(16),
  secret: "03".repeat(8),
  associatedData: "04".repeat(12),
  memory: 32,
  passes: 3,
  parallelism: 4,
  tagLength: 32,
  output: "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
}

export const argon2idVectors = [
  {
    passphrase: "password",
    salt: "somesalt",
    memoryKiB: 65_536,
    passes: 2,
    lanes: 1,
    output: "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"
  },
  {
    passphrase: "password",
    salt: "somesalt",
    memoryKiB: 256,
    passes: 2,
    lanes: 1,
    output: "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"
  },
  {
    passphrase: "password",
    salt: "somesalt",
    memoryKiB: 256,
    passes: 2,
    lanes: 2,
    output: "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"
  },
  {
    passphrase: "differentpassword",
    salt: "somesalt",
    memoryKiB: 65_536,
    passes: 2,
    lanes: 1,
    output: "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde"
  },
  {
    passphrase: "password",
    salt: "diffsalt",
    memoryKiB: 65_536,
    passes: 2,
    lanes: 1,
    output: "bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c"
  }
]
