import { cursor, readVarint64, undoZigzag64, unusual } from '../compiled/wire.ts'
import type { DecodeErrorCode } from '../decode-error.ts'

/** Writes the value that begins at cursor.pos, moves that behind it, and returns the output's position. `left`: levels that may still be there. */
export type AvroWriter = (bytes: Buffer, at: number, left: number) => number

/** What is wrong with a value, and where. */
export class AvroFault extends Error {
  readonly code: DecodeErrorCode
  /** Byte of the value. */
  readonly offset: number
  /** Names of the fields around it, from the outside in. */
  readonly path: string[] = []

  constructor(what: string, offset: number, code: DecodeErrorCode = 'NOT_AVRO') {
    super(what)
    this.code = code
    this.offset = offset
  }
}

/** Reads a long into cursor.lo and cursor.hi. */
export function readLong(bytes: Buffer): void {
  const from = cursor.pos
  try {
    cursor.pos = readVarint64(bytes, from)
  } catch (error) {
    if (error !== unusual) throw error
    throw new AvroFault(bytes.length - from < 10 ? 'cut off' : 'a number without an end', from)
  }
  undoZigzag64()
}

/** The long that was read; above 2^53 it is rounded. */
export const longNumber = (): number => cursor.hi * 0x100000000 + (cursor.lo >>> 0)

export function readInt(bytes: Buffer): number {
  const from = cursor.pos
  readLong(bytes)
  const { lo, hi } = cursor
  if (hi !== lo >> 31) throw new AvroFault(`${longNumber()} is no int`, from)
  return lo
}

/** Takes so many bytes and returns where they begin. */
export function takeBytes(bytes: Buffer, count: number): number {
  const from = cursor.pos
  const rest = bytes.length - from
  if (count > rest) throw new AvroFault(`${count} bytes are announced, ${rest} follow`, from)
  cursor.pos = from + count
  return from
}

/** Reads the length of a text or of bytes. */
export function readLength(bytes: Buffer): number {
  const from = cursor.pos
  readLong(bytes)
  const length = longNumber()
  if (length < 0) throw new AvroFault(`a length of ${length}`, from)
  return length
}
