/**
 * Position of the first byte in [from, to) that begins no well-formed UTF-8 sequence; `to` when there is none. As the Unicode
 * standard has it (table 3-7): no overlong form, no surrogate, nothing above U+10FFFF.
 */
export function utf8Fault(bytes: Buffer, from: number, to: number): number {
  let pos = from
  while (pos < to) {
    const length = bytes[pos]! < 0x80 ? 1 : sequenceLength(bytes, pos, to)
    if (length === 0) return pos
    pos += length
  }
  return to
}

function sequenceLength(bytes: Buffer, pos: number, end: number): 0 | 2 | 3 | 4 {
  const first = bytes[pos]!
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  if (first < 0xc2 || first > 0xf4 || pos + length > end) return 0
  const second = bytes[pos + 1]!
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < lowest || second > highest) return 0
  for (let at = pos + 2; at < pos + length; at++) if ((bytes[at]! & 0xc0) !== 0x80) return 0
  return length
}
