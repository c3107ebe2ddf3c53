// ClickHouse's RowBinary, written straight into a Buffer that has room: no object per value.

export type FastBuffer = Buffer & { latin1Write(text: string, at: number): number; utf8Write(text: string, at: number): number }

export function u16(out: Buffer, at: number, value: number): number {
  out[at] = value
  out[at + 1] = value >>> 8
  return at + 2
}

export function u32(out: Buffer, at: number, value: number): number {
  out[at] = value
  out[at + 1] = value >>> 8
  out[at + 2] = value >>> 16
  out[at + 3] = value >>> 24
  return at + 4
}

/** Whole numbers below 2^53. */
export function u64(out: Buffer, at: number, value: number): number {
  const high = Math.floor(value / 0x100000000)
  return u32(out, u32(out, at, value - high * 0x100000000), high)
}

export function varint(out: Buffer, at: number, value: number): number {
  let rest = value
  while (rest > 127) {
    out[at++] = (rest & 127) | 128
    rest >>>= 7
  }
  out[at++] = rest
  return at
}

/** TypedArray.set costs the same for any length; a loop wins below a dozen bytes only. */
export function copy(out: Buffer, at: number, from: Uint8Array): number {
  const length = from.length
  if (length < 12) for (let i = 0; i < length; i++) out[at + i] = from[i]!
  else out.set(from, at)
  return at + length
}

export const bytes = (out: Buffer, at: number, from: Uint8Array): number => copy(out, varint(out, at, from.length), from)

/** Text of any kind, at most 2^20 characters; room for three bytes a character is needed. */
export function text(out: FastBuffer, at: number, value: string): number {
  if (value.length < 42) {
    const written = out.utf8Write(value, at + 1)
    out[at] = written
    return at + 1 + written
  }
  const from = varint(out, at, Buffer.byteLength(value))
  return from + out.utf8Write(value, from)
}

/** Text as RowBinary has it, once: its length, then its bytes. */
export function textBytes(value: string): Buffer {
  const out = Buffer.alloc(value.length * 3 + 5) as FastBuffer
  return out.subarray(0, text(out, 0, value))
}
