import { create } from '@bufbuild/protobuf'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import {
  type PreviewRequest,
  type PreviewResponse,
  PreviewResponseSchema,
  type TestRequest,
  type TestResponse,
  TestResponseSchema,
} from '../../proto/gen/ferry/v1/preview_pb.ts'
import type { OpenCluster } from '../../runtime/kafka.ts'
import type { LaneId } from '../../runtime/lane-keys.ts'
import type { Route } from '../deliver/route.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import { awaitSchema } from './await-schema.ts'
import { type Choice, chooseRecords } from './choose-records.ts'
import { previewRecord } from './preview-record.ts'
import { sendOnce } from './send-once.ts'
import { TrialError } from './trial-error.ts'

const RECORDS_DEFAULT = 10
const TEXT_BYTES_MAX = 64 * 1024
/** Of the three texts of each record, all together: an answer is to fit into one message. */
const ANSWER_BYTES_MAX = 4 << 20
const WAIT_MS = 20

export interface TrialParts {
  readonly route: Route
  readonly cluster: Pick<OpenCluster, 'cluster' | 'describe'>
  readonly signal: AbortSignal
  /** By performance.now(). */
  readonly deadline: number
}

/** Says what would become of records. Rejects with a TrialError. */
export async function preview({ records: wanted, maxRecords }: PreviewRequest, parts: TrialParts): Promise<PreviewResponse> {
  const { route } = parts
  const recordsMax = maxRecords === 0 ? RECORDS_DEFAULT : maxRecords
  const { records, problems } = await read(choiceOf(wanted), recordsMax, parts)
  const bytesMax = Math.min(TEXT_BYTES_MAX, Math.floor(ANSWER_BYTES_MAX / (3 * Math.max(1, records.length))))
  const response = create(PreviewResponseSchema, { problems: [...problems] })
  for (const { partition, record } of records) {
    parts.signal.throwIfAborted()
    await awaitSchema(route, record, parts.signal)
    const id = { ...laneOf(route), partition }
    response.records.push((await previewRecord(record, { route, id, nowMs: Date.now(), bytesMax })).preview)
  }
  return response
}

/** Sends one record. Rejects with a TrialError when nothing was sent. */
export async function test({ record: wanted }: TestRequest, parts: TrialParts): Promise<TestResponse> {
  const { route, signal, deadline } = parts
  const { partition, record } = wanted.case === 'sample' ? sampleOf(wanted.value) : await oneRecord(wanted.value!, parts)
  await token(route, signal)
  await awaitSchema(route, record, signal)
  // By another uid nobody takes the request for the record's delivery: the names that receivers tell repeats by are made of it.
  const id = { ...laneOf(route), partition, uid: `test-${crypto.randomUUID().slice(0, 13)}` }
  const { preview: shown, load } = await previewRecord(record, { route, id, nowMs: Date.now(), bytesMax: TEXT_BYTES_MAX })
  if (load === undefined) return create(TestResponseSchema, { record: shown })
  return sendOnce(route, load, shown, deadline - performance.now())
}

const laneOf = ({ plan: { uid, cluster, topic } }: Route): Omit<LaneId, 'partition'> => ({ uid, cluster, topic })

async function read(choice: Choice, recordsMax: number, { route, cluster, signal }: TrialParts) {
  const limits = { recordsMax, readCommitted: route.plan.isolation === 'READ_COMMITTED', signal }
  try {
    return await chooseRecords(cluster.cluster, route.plan.topic, choice, limits)
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof TrialError ? error : new TrialError(`Kafka cluster ${route.plan.cluster}: ${cluster.describe(error)}`)
  }
}

function choiceOf(wanted: PreviewRequest['records']): Choice {
  switch (wanted.case) {
    case 'position':
      return { kind: 'POSITION', partition: wanted.value.partition, offset: Number(wanted.value.offset) }
    case 'time':
      return { kind: 'TIME', timeMs: timestampMs(wanted.value) }
    case undefined:
      return { kind: 'NEWEST' }
  }
}

async function oneRecord(
  { partition, offset }: { readonly partition: number; readonly offset: bigint },
  parts: TrialParts,
): Promise<{ readonly partition: number; readonly record: KafkaRecord }> {
  const { records } = await read({ kind: 'POSITION', partition, offset: Number(offset) }, 1, parts)
  const [found] = records
  if (found !== undefined && BigInt(found.record.offset) === offset) return found
  const next = found === undefined ? '' : `; the next record is at ${found.record.offset}`
  throw new TrialError(`there is no record at offset ${offset} of partition ${partition}${next}`)
}

type Sample = Extract<TestRequest['record'], { case: 'sample' }>['value']

const sampleOf = ({ key, value, headers }: Sample): { readonly partition: number; readonly record: KafkaRecord } => ({
  partition: 0,
  record: {
    offset: '0',
    timestamp: String(Date.now()),
    key: key === undefined ? null : Buffer.from(key),
    value: value === undefined ? null : Buffer.from(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
  },
})

/** Waits for the use case's OAuth 2 token, if it has one. */
async function token({ token: source }: Route, signal: AbortSignal): Promise<void> {
  while (source !== undefined && !source.ready(performance.now())) {
    if (source.trouble !== undefined) throw new TrialError(source.trouble.message)
    signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS))
  }
}
