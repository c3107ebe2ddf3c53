const POLYNOMIAL = 0x82f63b78

/** Eight tables, so that eight bytes take one step: slicing-by-8 (Kounavis and Berry, 2005). */
const tables = ((): Int32Array => {
  const all = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    all[byte] = crc
  }
  for (let at = 256; at < all.length; at++) all[at] = (all[at - 256]! >>> 8) ^ all[all[at - 256]! & 0xff]!
  return all
})()

/** CRC-32C (Castagnoli) of the bytes from `start` to `end`, as Kafka's record batches carry it; unsigned. */
export function crc32c(bytes: Buffer, start: number, end: number): number {
  const t = tables
  let crc = -1
  let at = start
  for (const last = end - 8; at <= last; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc =
      t[1792 + (crc & 0xff)]! ^
      t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^
      t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!
  }
  for (; at < end; at++) crc = t[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}
