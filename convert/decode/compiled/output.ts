/**
 * Bytes that any writer may write beyond `output.limit` after it has compared its position with the limit once:
 * a name and its colon, a number, the closing brackets of all open levels.
 */
export const outputSlackBytes = 16384

/** Names (with quotes, comma and colon) that are longer do not fit into the slack. */
export const nameBytesMax = 4096

/** Kept between records; a larger one is given back after the record that needed it. */
const keptBytesMax = 4 * 1024 * 1024

/** Thrown when a body does not fit into the output, to begin again with a larger one. */
export const outputFull = new Error('output full')

/** Where bodies are written before they are copied out. One per process is enough: decoding never yields. */
export const output = {
  bytes: Buffer.alloc(0),
  view: new DataView(new ArrayBuffer(0)),
  /** Writers compare their position with this before they write. */
  limit: 0,
}

/** Makes room for a body of at least so many bytes. */
export function reserveOutput(bodyBytes: number): void {
  if (output.limit >= bodyBytes) return
  const bytes = Buffer.allocUnsafeSlow(bodyBytes + outputSlackBytes)
  output.bytes = bytes
  output.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  output.limit = bodyBytes
}

/** Copies the body of so many bytes out. */
export function takeOutput(bodyBytes: number): Buffer {
  const body = Buffer.allocUnsafe(bodyBytes)
  output.bytes.copy(body, 0, 0, bodyBytes)
  return body
}

/** Gives back what a large record needed. */
export function trimOutput(): void {
  if (output.limit <= keptBytesMax) return
  output.limit = 0
  reserveOutput(keptBytesMax)
}
