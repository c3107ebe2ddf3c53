import { duration, secret, text, wholeNumber } from './config.ts'
import { readSettingSecret } from './read-setting-file.ts'
import { Tracing } from './tracing/tracing.ts'

/** What both processes tell of themselves, beside their log. */
export const telemetrySettings = {
  metricsUseCasesMax: wholeNumber('FERRY_METRICS_USE_CASES_MAX', {
    default: '100',
    min: 0,
    max: 10_000,
    description:
      'Use cases that have labels of their own in the metrics of a process; all others share `use_case="other"` ([docs/metrics.md](docs/metrics.md)).',
  }),
  traceUrl: {
    env: 'FERRY_TRACE_URL',
    default: '',
    description:
      'Where traces are sent, by OTLP over HTTP with protobuf, as `http://collector:4318/v1/traces`. Empty: nothing is traced ([docs/tracing.md](docs/tracing.md)).',
    parse: readUrl,
  },
  traceHeaders: secret(
    'FERRY_TRACE_HEADERS',
    'Headers that the collector asks for, as `name=value`, separated by commas. Better in a file: processes show their environment.',
  ),
  traceHeadersFile: text('FERRY_TRACE_HEADERS_FILE', {
    default: '',
    description: 'File that has them instead; a line feed at its end is left out. Read at the start.',
  }),
  traceRatio: {
    env: 'FERRY_TRACE_RATIO',
    default: '0.01',
    description:
      'Share, from 0 to 1, of deliveries and calls without a trace of their own that are traced. Those that come with one are traced when it says that it is sampled.',
    parse: readRatio,
  },
  traceQueueSpansMax: wholeNumber('FERRY_TRACE_QUEUE_SPANS_MAX', {
    default: '4096',
    min: 1,
    max: 1_000_000,
    description: 'Spans that may wait for the collector; further ones are dropped and counted.',
  }),
  traceBatchSpansMax: wholeNumber('FERRY_TRACE_BATCH_SPANS_MAX', {
    default: '512',
    min: 1,
    max: 10_000,
    description: 'Spans that go to the collector at once.',
  }),
  traceDelayMs: duration('FERRY_TRACE_DELAY', {
    default: '2s',
    minMs: 10,
    maxMs: 60_000,
    description: 'Longest time that spans wait for company.',
  }),
  traceTimeoutMs: duration('FERRY_TRACE_TIMEOUT', {
    default: '5s',
    minMs: 100,
    maxMs: 60_000,
    description: 'A collector that takes longer has not taken the spans; they are dropped and counted.',
  }),
}

function readUrl(value: string): string {
  if (value === '') return value
  const parsed = URL.canParse(value) ? new URL(value) : undefined
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:')
    throw new Error('must be a URL that starts with http:// or https://')
  if (parsed.username !== '' || parsed.password !== '') throw new Error('must have no user or password: use FERRY_TRACE_HEADERS')
  return value
}

function readRatio(value: string): number {
  const ratio = Number(value)
  if (!/^(0(\.\d+)?|1(\.0+)?)$/.test(value)) throw new Error('must be a number from 0 to 1, as 0.01')
  return ratio
}

interface TraceConfig {
  readonly traceUrl: string
  readonly traceHeaders: string
  readonly traceHeadersFile: string
  readonly traceRatio: number
  readonly traceQueueSpansMax: number
  readonly traceBatchSpansMax: number
  readonly traceDelayMs: number
  readonly traceTimeoutMs: number
}

const pair = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([\x20-\x7e]*)$/

function readHeaders(config: TraceConfig, problems: string[]): Readonly<Record<string, string>> {
  const given = readSettingSecret('FERRY_TRACE_HEADERS', config.traceHeaders, config.traceHeadersFile, problems)
  const words = given === '' ? [] : given.split(',').map((each) => pair.exec(each.trim()))
  if (words.includes(null)) problems.push('FERRY_TRACE_HEADERS: must be name=value, separated by commas')
  return Object.fromEntries(words.flatMap((each) => (each === null ? [] : [[each[1]!, each[2]!]])))
}

/** What is wrong between settings of traces that are good each by itself. */
export function findTraceProblems(config: TraceConfig): string[] {
  const problems: string[] = []
  readHeaders(config, problems)
  if (config.traceBatchSpansMax > config.traceQueueSpansMax)
    problems.push(
      `FERRY_TRACE_BATCH_SPANS_MAX (${config.traceBatchSpansMax}) must be at most FERRY_TRACE_QUEUE_SPANS_MAX (${config.traceQueueSpansMax})`,
    )
  return problems
}

/** Undefined while nothing is traced. instance: a random name of this process. */
export function openTracing(config: TraceConfig, process: 'control-plane' | 'worker', instance: string): Tracing | undefined {
  if (config.traceUrl === '') return undefined
  return new Tracing({
    ...{ url: config.traceUrl, headers: readHeaders(config, []), ratio: config.traceRatio, process, instance },
    ...{ queueSpansMax: config.traceQueueSpansMax, batchSpansMax: config.traceBatchSpansMax },
    ...{ delayMs: config.traceDelayMs, timeoutMs: config.traceTimeoutMs },
  })
}
