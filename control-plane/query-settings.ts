import { bytes, duration, type Values, wholeNumber } from '../runtime/config.ts'

/** Bounds of what operators ask the log. */
export const querySettings = {
  queryTimeoutMs: duration('FERRY_QUERY_TIMEOUT', {
    default: '20s',
    minMs: 100,
    maxMs: 300_000,
    description: 'A question of an operator to the log that takes longer is refused.',
  }),
  queryRowsMax: wholeNumber('FERRY_QUERY_ROWS_MAX', {
    default: '100000000',
    min: 1000,
    max: 1_000_000_000_000,
    description: 'A question of an operator that reads more rows of the log is refused.',
  }),
  queryGroupBytesMax: bytes('FERRY_QUERY_GROUP_BYTES_MAX', {
    default: '512MiB',
    min: 1 << 20,
    max: 2 ** 40,
    description: 'A question that groups more goes on on the disk of ClickHouse.',
  }),
  tailsMax: wholeNumber('FERRY_TAILS_MAX', {
    default: '50',
    min: 1,
    max: 1000,
    description: 'Streams of Tail at once; each asks the log once a second.',
  }),
  tailDurationMsMax: duration('FERRY_TAIL_DURATION_MAX', {
    default: '1h',
    minMs: 1000,
    maxMs: 86_400_000,
    description: 'A stream of Tail ends after so long; its caller calls again.',
  }),
} as const

/** How Tail follows the log. */
export const tailOptions = (config: Values<typeof querySettings>) => ({
  tailsMax: config.tailsMax,
  tailLimits: {
    ...{ pollMs: 1000, settleMs: 1000, durationMsMax: config.tailDurationMsMax, messageBytesMax: 3 << 20 },
    outageMsMax: 30_000,
  },
})
