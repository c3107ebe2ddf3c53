import { type LaneId, splitUid } from '../../runtime/lane-keys.ts'

/** A row of `payloads` in ClickHouse's RowBinary: uid, cluster, topic, partition, offset, end_time, expire_time, packed_record. */
export function payloadRow(lane: LaneId, offset: number, packed: Buffer, endMs: number, expireMs: number): Buffer {
  const numbers = Buffer.alloc(24)
  numbers.writeUInt32LE(lane.partition, 0)
  numbers.writeBigUInt64LE(BigInt(offset), 4)
  numbers.writeBigInt64LE(BigInt(Math.floor(endMs)), 12)
  numbers.writeUInt32LE(Math.floor(expireMs / 1000), 20)
  return Buffer.concat([
    text(splitUid(lane.uid).uid),
    text(lane.cluster),
    text(lane.topic),
    numbers,
    varint(packed.length),
    packed,
  ])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128)
  bytes.push(rest)
  return Buffer.from(bytes)
}
