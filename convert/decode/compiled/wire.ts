/** What a reader leaves behind beside its result. One per process is enough: decoding never yields. */
export const cursor = {
  /** Position after what was read. */
  pos: 0,
  /** Lower and upper 32 bits of the last 64-bit number, as signed integers. */
  lo: 0,
  hi: 0,
}

/**
 * Thrown where a value is not what serializers ordinarily write: malformed, split, out of range, or of a type that the
 * compiled form leaves out. It says nothing about whether the value is right: the general decoder decides.
 * One object for all, without a stack of its own, so that throwing it is cheap.
 */
export const unusual = new Error('left to the general decoder')

/** Reads a tag of two bytes or more. A longer form than needed is unusual: runs of a repeated field rely on the length. */
export function readTag(bytes: Buffer, from: number): number {
  let pos = from
  let tag = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[pos++]
    if (byte === undefined || (shift === 28 && byte > 15)) throw unusual
    tag |= (byte & 127) << shift
    if (byte < 128) {
      if (byte === 0) throw unusual
      cursor.pos = pos
      return tag >>> 0
    }
  }
  throw unusual
}

/** Reads a varint of at most 10 bytes and keeps its lower 32 bits, unsigned. */
export function readUint32(bytes: Buffer, from: number): number {
  let pos = from
  let value = 0
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = bytes[pos++]
    if (byte === undefined) throw unusual
    if (shift < 32) value |= (byte & 127) << shift
    if (byte < 128) {
      cursor.pos = pos
      return value >>> 0
    }
  }
  throw unusual
}

/** Reads a varint of at most 10 bytes into cursor.lo and cursor.hi, and returns the position after it. */
export function readVarint64(bytes: Buffer, from: number): number {
  let pos = from
  let lo = 0
  let hi = 0
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = bytes[pos++]
    if (byte === undefined) throw unusual
    const bits = byte & 127
    if (shift < 28) lo |= bits << shift
    else if (shift === 28) {
      lo |= bits << 28
      hi = bits >>> 4
    } else hi |= bits << (shift - 32)
    if (byte < 128) {
      cursor.lo = lo
      cursor.hi = hi
      return pos
    }
  }
  throw unusual
}

/** Reads 8 bytes into cursor.lo and cursor.hi, and returns the position after them. */
export function readFixed64(bytes: Buffer, from: number): number {
  cursor.lo = bytes.readInt32LE(from)
  cursor.hi = bytes.readInt32LE(from + 4)
  return from + 8
}

/** Undoes the zigzag form of the number in cursor.lo and cursor.hi. */
export function undoZigzag64(): void {
  const sign = -(cursor.lo & 1)
  const lo = (cursor.lo >>> 1) | ((cursor.hi & 1) << 31)
  cursor.lo = lo ^ sign
  cursor.hi = (cursor.hi >>> 1) ^ sign
}

/** Position after a payload of the wire type. The caller compares it with its end once it has read everything. */
export function skipPayload(bytes: Buffer, from: number, wireType: number): number {
  let pos = from
  switch (wireType) {
    case 0:
      while (bytes[pos++]! > 127);
      return pos
    case 1:
      return pos + 8
    case 2: {
      const length = readUint32(bytes, pos)
      return cursor.pos + length
    }
    case 5:
      return pos + 4
    default:
      throw unusual
  }
}

/** Where the payloads of a map entry begin; 0 for what it leaves out. */
export const entry = { key: 0, value: 0 }

/** Finds the payloads of the map entry in [from, to). */
export function readEntry(bytes: Buffer, from: number, to: number, keyTag: number, valueTag: number): void {
  entry.key = 0
  entry.value = 0
  let pos = from
  while (pos < to) {
    const tag = bytes[pos++]!
    if (tag === keyTag && entry.key === 0) entry.key = pos
    else if (tag === valueTag && entry.value === 0) entry.value = pos
    else throw unusual
    pos = skipPayload(bytes, pos, tag & 7)
  }
  if (pos !== to) throw unusual
}
