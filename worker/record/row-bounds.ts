import { attemptLayout, readLength, skipColumn } from './row-layout.ts'

/** Where rows of attempt_inserts belong: offsets of each partition of a use case, both included, and times of the attempts. */
export interface RowBounds {
  readonly lanes: readonly LaneBounds[]
  readonly minMs: number
  readonly maxMs: number
}

export interface LaneBounds {
  readonly uid: string
  readonly cluster: string
  readonly topic: string
  readonly partition: number
  minOffset: bigint
  maxOffset: bigint
}

const layout = Object.entries(attemptLayout)

/** Throws a RangeError when the bytes are not whole rows. */
export function readBounds(rows: Buffer): RowBounds {
  const lanes = new Map<string, LaneBounds>()
  let [minMs, maxMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const at = { pos: 0 }; at.pos < rows.length; ) {
    const from: Record<string, number> = {}
    for (const [name, form] of layout) {
      from[name] = at.pos
      skipColumn(form, rows, at)
    }
    const [uid, cluster, topic] = [textAt(rows, from['uid']!), textAt(rows, from['cluster']!), textAt(rows, from['topic']!)]
    const partition = rows.readUInt32LE(from['partition']!)
    const offset = rows.readBigUInt64LE(from['offset']!)
    const sentMs = Number(rows.readBigInt64LE(from['attempt_time']!))
    minMs = Math.min(minMs, sentMs)
    maxMs = Math.max(maxMs, sentMs)
    const name = JSON.stringify([uid, cluster, topic, partition])
    const lane = lanes.get(name)
    if (lane === undefined) lanes.set(name, { uid, cluster, topic, partition, minOffset: offset, maxOffset: offset })
    else {
      if (offset < lane.minOffset) lane.minOffset = offset
      if (offset > lane.maxOffset) lane.maxOffset = offset
    }
  }
  return { lanes: [...lanes.values()], minMs, maxMs }
}

function textAt(rows: Buffer, pos: number): string {
  const at = { pos }
  const length = readLength(rows, at)
  return rows.toString('utf8', at.pos, at.pos + length)
}
