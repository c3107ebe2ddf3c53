import { Readable } from 'node:stream'
import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import { type LaneId, laneKey, loggedLane, type Run, splitUid } from '../../runtime/lane-keys.ts'
import { asFleetError } from './fleet-error.ts'
import { payloadRow } from './payload-row.ts'

/** What the log knows of a lane, as far as it decides where the lane begins. */
export interface LoggedLane {
  /** Where it was registered to start; undefined without a BEFORE_START range. */
  readonly start: number | undefined
  /** Whether anything has ended. */
  readonly hasEnds: boolean
}

const unavailable = 'ClickHouse does not answer'

const laneSql = 'uid = {uid: String} AND cluster = {cluster: String} AND topic = {topic: String}'

const loggedSql = `
SELECT partition, countIf(isStart) AS starts, minIf(start, isStart) AS start, countIf(NOT isStart) AS ends FROM (
  SELECT partition, kind = 'BEFORE_START' AS isStart, if(empty(runs), 0, runs[-1].2 + 1) AS start
  FROM ranges WHERE ${laneSql} AND replay = {replay: String}
  UNION ALL
  SELECT DISTINCT partition, false AS isStart, toUInt64(0) AS start FROM outcomes WHERE ${laneSql} AND replay = {replay: String}
) GROUP BY partition`

/** The log in ClickHouse, as far as the fleet writes and reads it. Every insert has a token: repeated, it changes nothing. */
export class LaneLog {
  readonly #clickhouse: ClickHouseClient
  readonly #timeoutMs: number

  constructor(clickhouse: ClickHouseClient, timeoutMs: number) {
    this.#clickhouse = clickhouse
    this.#timeoutMs = timeoutMs
  }

  /** By partition; one that the log does not know is left out. */
  async read(uid: string, cluster: string, topic: string): Promise<Map<number, LoggedLane>> {
    return asFleetError('LOG_UNAVAILABLE', unavailable, this.#read(uid, cluster, topic))
  }

  async #read(uid: string, cluster: string, topic: string): Promise<Map<number, LoggedLane>> {
    const result = await this.#clickhouse.query({
      query: loggedSql,
      query_params: { ...splitUid(uid), cluster, topic },
      format: 'JSONEachRow',
      abort_signal: AbortSignal.timeout(this.#timeoutMs),
      clickhouse_settings: {
        max_execution_time: Math.ceil(this.#timeoutMs / 1000),
        output_format_json_quote_64bit_integers: 0,
      },
    })
    const lanes = new Map<number, LoggedLane>()
    for (const row of await result.json<{ partition: number; starts: number; start: number; ends: number }>()) {
      lanes.set(row.partition, { start: row.starts > 0 ? row.start : undefined, hasEnds: row.ends > 0 })
    }
    return lanes
  }

  /** Every offset below `start` is not this use case's. Also where there is none: that a lane was registered is itself known by it. */
  async writeBeforeStart(lane: LaneId, start: number, wallMs: number): Promise<void> {
    const runs = start > 0 ? [{ first: 0, last: start - 1 }] : []
    await this.#insertRange(lane, 'BEFORE_START', '', runs, wallMs, `${laneKey(lane)}/before-start`)
  }

  /** Offsets that ended because their use case was deleted. `part` tells rows of one lane apart. */
  async writeDeleted(lane: LaneId, runs: readonly Run[], part: number, wallMs: number): Promise<void> {
    await this.#insertRange(lane, 'OPERATOR', 'DELETED', runs, wallMs, `${laneKey(lane)}/deleted/${part}`)
  }

  /** Packed records, as they were in Redis. */
  async writePayloads(
    lane: LaneId,
    records: readonly { readonly offset: number; readonly packed: Buffer }[],
    wallMs: number,
    expireMs: number,
  ): Promise<void> {
    const rows = records.map(({ offset, packed }) => payloadRow(lane, offset, packed, wallMs, expireMs))
    const token = `${laneKey(lane)}/deleted/payloads/${records[0]!.offset}`
    await asFleetError('LOG_UNAVAILABLE', unavailable, this.#insertPayloads(Buffer.concat(rows), token))
  }

  async #insertPayloads(rows: Buffer, token: string): Promise<void> {
    const { stream } = await this.#clickhouse.exec({
      query:
        'INSERT INTO payloads (uid, cluster, topic, partition, offset, end_time, expire_time, packed_record) FORMAT RowBinary',
      values: Readable.from([rows], { objectMode: false }),
      ...this.#bounds(token),
    })
    // The socket is free again when the (empty) answer has been read.
    for await (const _ of stream);
  }

  async #insertRange(
    lane: LaneId,
    kind: string,
    reason: string,
    runs: readonly Run[],
    wallMs: number,
    token: string,
  ): Promise<void> {
    const { uid, replay, cluster, topic, partition } = loggedLane(lane)
    const insert = this.#clickhouse.insert({
      table: 'ranges',
      values: [
        {
          ...{ uid, cluster, topic, partition, replay, kind, reason, epoch: 0, worker: '' },
          runs: runs.map(({ first, last }) => [first, last]),
          range_time: Math.floor(wallMs),
        },
      ],
      format: 'JSONEachRow',
      ...this.#bounds(token),
    })
    await asFleetError('LOG_UNAVAILABLE', unavailable, insert)
  }

  #bounds(token: string) {
    return {
      abort_signal: AbortSignal.timeout(this.#timeoutMs),
      clickhouse_settings: {
        async_insert: 0,
        wait_end_of_query: 1,
        insert_deduplicate: 1,
        insert_deduplication_token: token,
        max_execution_time: Math.ceil(this.#timeoutMs / 1000),
      },
    } as const
  }
}
