import { create } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { Outcome, type Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { type RecordPreview, type TestResponse, TestResponseSchema } from '../../proto/gen/ferry/v1/preview_pb.ts'
import { Flight } from '../deliver/flight.ts'
import type { Route } from '../deliver/route.ts'
import { type Meaning, readAnswer } from '../lane/answer.ts'
import { readBatchAnswer } from '../lane/land-batch.ts'
import type { Load } from '../lane/load.ts'
import { namedHeaders } from './preview-record.ts'

const outcomes = {
  DELIVERED: Outcome.DELIVERED,
  SKIPPED: Outcome.SKIPPED,
  FINAL: Outcome.FAILED,
  RETRYABLE: Outcome.RETRY,
  ABORTED: Outcome.RETRY,
} as const

const meaningOfFirst = (meaning: Meaning | readonly Meaning[]): Meaning => (typeof meaning === 'string' ? meaning : meaning[0]!)

/** Sends a request by a connection of its own, and says what came back. Ends with the timeout at the latest; never rejects. */
export async function sendOnce(route: Route, load: Load, preview: RecordPreview, timeoutMs: number): Promise<TestResponse> {
  const flight = await new Promise<Flight<Load>>((landed) => {
    const started = new Flight<Load>(route.target, load, landed, () => true)
    started.send(route.target, load.headers, load.body, performance.now())
    const timer = setTimeout(() => started.abort('TIMEOUT'), Math.min(timeoutMs, route.target.requestTimeoutMs))
    timer.unref()
  })
  flight.close()
  const row = load.batch?.first.row ?? load.row
  const answer =
    load.batch === undefined
      ? readAnswer(flight, row, route.plan, Date.now(), false)
      : meaningOfFirst(readBatchAnswer(flight, route.plan, Date.now(), false))
  if (flight.cut === 'TIMEOUT') row.error = `no whole answer within ${Math.round(row.latencyUs / 1000)} ms`
  return create(TestResponseSchema, {
    record: preview,
    status: row.status,
    responseHeaders: namedHeaders(row.responseHeaders),
    responseBody: row.responseBody.toString(),
    responseBytes: BigInt(row.responseBytes),
    error: row.error,
    outcome: outcomes[answer],
    reason: row.reason as Reason,
    latency: durationFromMs(Math.round(row.latencyUs / 1000)),
  })
}
