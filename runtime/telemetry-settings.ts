import { wholeNumber } from './config.ts'

/** What both processes tell of themselves, beside their log. */
export const telemetrySettings = {
  metricsUseCasesMax: wholeNumber('FERRY_METRICS_USE_CASES_MAX', {
    default: '100',
    min: 0,
    max: 10_000,
    description:
      'Use cases that have labels of their own in the metrics of a process; all others share `use_case="other"` ([docs/metrics.md](docs/metrics.md)).',
  }),
}
