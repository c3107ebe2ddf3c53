import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Metrics } from '../../runtime/metrics/metrics.ts'
import { type UseCaseSeries, useCaseLabels } from '../../runtime/metrics/use-case-series.ts'
import { rangeKinds } from '../record/range-log.ts'
import { answerClasses, type UseCaseCounts } from './use-case-counts.ts'

const ends = ['DELIVERED', 'FAILED', 'SKIPPED', 'SUPERSEDED'] as const
const kinds = Object.entries(rangeKinds).map(([name, number]) => [name.toLowerCase(), number] as const)

/** What became of records, counted since this worker began. */
export function registerDeliveries(metrics: Metrics, series: () => UseCaseSeries<UseCaseCounts>): void {
  metrics.counter(
    {
      name: 'ferry_deliveries_total',
      help: 'Deliveries that have ended, by outcome; those that a retry batch opened again end again',
      labels: { ...useCaseLabels, outcome: ends.map((each) => `\`${each.toLowerCase()}\``).join(', ') },
    },
    () =>
      [...series().values()].flatMap(([labels, { outcomes }]) =>
        ends.map((each) => [{ ...labels, outcome: each.toLowerCase() }, outcomes[Outcome[each]]!] as const),
      ),
  )
  metrics.counter(
    {
      name: 'ferry_attempts_total',
      help: 'Attempts that have come back, by class of answer: of its status, or why there is none',
      labels: { ...useCaseLabels, class: answerClasses.map((each) => `\`${each}\``).join(', ') },
    },
    () =>
      [...series().values()].flatMap(([labels, { answers }]) =>
        answerClasses.map((each, at) => [{ ...labels, class: each }, answers[at]!] as const),
      ),
  )
  metrics.counter(
    {
      name: 'ferry_skipped_records_total',
      help: 'Offsets without a delivery, by why: left out by the filter or without a value; `retention` are records that Kafka deleted unread',
      labels: { ...useCaseLabels, kind: kinds.map(([kind]) => `\`${kind}\``).join(', ') },
    },
    () =>
      [...series().values()].flatMap(([labels, { skipped }]) =>
        kinds.map(([kind, number]) => [{ ...labels, kind }, skipped[number]!] as const),
      ),
  )
  metrics.histogram(
    {
      name: 'ferry_request_duration_seconds',
      help: 'Requests to endpoints, from being sent to their whole answer or failure; a batch is one request',
      labels: useCaseLabels,
    },
    () => [...series().values()].map(([labels, { requestSeconds }]) => [labels, requestSeconds] as const),
  )
  metrics.histogram(
    {
      name: 'ferry_delivery_duration_seconds',
      help: 'Deliveries that were delivered, from the timestamp of their Kafka record to the answer; retry batches left out',
      labels: useCaseLabels,
    },
    () => [...series().values()].map(([labels, { deliverySeconds }]) => [labels, deliverySeconds] as const),
  )
  metrics.counter(
    {
      name: 'ferry_rate_limited_seconds_total',
      help: 'For how long records have waited for a rate limit',
      labels: useCaseLabels,
    },
    () => [...series().values()].map(([labels, { rateLimitedMs }]) => [labels, rateLimitedMs / 1000] as const),
  )
}
