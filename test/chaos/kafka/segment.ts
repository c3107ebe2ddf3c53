import { closeSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Fleet } from '../../harness/fleet.ts'

/** A batch as it lies in a broker's file. */
export interface StoredBatch {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly records: number
  /** Of its first byte in the file. */
  readonly at: number
  readonly bytes: number
}

const headerBytes = 61

/** The file of a partition's first segment at the fleet's own broker. */
const segmentFile = (fleet: Fleet, topic: string, partition: number): string =>
  join(fleet.own.dataDir, 'kafka/logs', `${topic}-${partition}`, '00000000000000000000.log')

/** Its batches, in order. */
export function readSegment(fleet: Fleet, topic: string, partition: number): StoredBatch[] {
  const file = readFileSync(segmentFile(fleet, topic, partition))
  const batches: StoredBatch[] = []
  for (let at = 0; at + headerBytes <= file.length; ) {
    const bytes = 12 + file.readInt32BE(at + 8)
    const firstOffset = Number(file.readBigInt64BE(at))
    const lastOffset = firstOffset + file.readInt32BE(at + 23)
    batches.push({ firstOffset, lastOffset, records: file.readInt32BE(at + 57), at, bytes })
    at += bytes
  }
  return batches
}

/** Overwrites bytes of a batch's records, as a disk that forgets does. The broker must not run. */
export function breakBatch(fleet: Fleet, topic: string, partition: number, batch: StoredBatch): void {
  const file = openSync(segmentFile(fleet, topic, partition), 'r+')
  writeSync(file, Buffer.from('these bytes are broken'), 0, 22, batch.at + headerBytes + 5)
  closeSync(file)
}

/** The log ends before this batch. The broker must not run: it makes the segment's indices anew, which knew of more. */
export function cutBefore(fleet: Fleet, topic: string, partition: number, batch: StoredBatch): void {
  const file = segmentFile(fleet, topic, partition)
  truncateSync(file, batch.at)
  for (const index of ['.index', '.timeindex']) rmSync(file.replace(/\.log$/, index), { force: true })
}
