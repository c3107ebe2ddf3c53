import { type Metric, type MetricType, Registry } from 'prom-client'
import type { Buckets } from './buckets.ts'
import type { Calls } from './calls.ts'

/** A metric by the conventions of Prometheus: a base unit in its name, `_total` at the end of a counter's. */
export interface MetricSpec {
  readonly name: string
  readonly help: string
  /** By label what its values are, and so how many there can be. */
  readonly labels?: Readonly<Record<string, string>>
}

export type Labels = Readonly<Record<string, string>>
export type Samples<T> = Iterable<readonly [Labels, T]>

interface Value {
  readonly metricName?: string
  readonly labels: Labels
  readonly value: number
}

/** What a registry asks of a metric: all numbers are read from where they are when somebody looks, and nothing is kept here. */
class ReadMetric {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly aggregator = 'sum'
  readonly #read: () => Iterable<Value>

  constructor({ name, help }: MetricSpec, type: string, read: () => Iterable<Value>) {
    this.name = name
    this.help = help
    this.type = type
    this.#read = read
  }

  get() {
    return { name: this.name, help: this.help, type: this.type, aggregator: this.aggregator, values: [...this.#read()] }
  }
}

/** The metrics of one process. */
export class Metrics {
  readonly registry = new Registry()
  readonly specs: (MetricSpec & { readonly type: `${MetricType}` | string })[] = []

  counter(spec: MetricSpec, read: () => number | Samples<number>): void {
    this.#add(spec, 'counter', () => valuesOf(read()))
  }

  gauge(spec: MetricSpec, read: () => number | Samples<number>): void {
    this.#add(spec, 'gauge', () => valuesOf(read()))
  }

  histogram(spec: MetricSpec, read: () => Samples<Buckets>): void {
    this.#add(spec, 'histogram', () => [...read()].flatMap(([labels, buckets]) => bucketValues(spec.name, labels, buckets)))
  }

  /** `NAMEs_total` by result, or PLURAL in place of NAMEs, and `NAME_duration_seconds`; `what` begins both texts. */
  calls(name: string, what: string, labels: Labels, read: () => Samples<Calls>, plural = `${name}s`): void {
    const result = { result: '`answered`, `failed`' }
    this.counter({ name: `${plural}_total`, help: `${what}, by how they ended`, labels: { ...labels, ...result } }, () =>
      [...read()].flatMap(([of, { answered, failed }]) => [
        [{ ...of, result: 'answered' }, answered] as const,
        [{ ...of, result: 'failed' }, failed] as const,
      ]),
    )
    this.histogram({ name: `${name}_duration_seconds`, help: `${what}: how long they took`, labels }, () =>
      [...read()].map(([of, { seconds }]) => [of, seconds] as const),
    )
  }

  #add(spec: MetricSpec, type: string, read: () => Iterable<Value>): void {
    this.specs.push({ ...spec, type })
    this.registry.registerMetric(new ReadMetric(spec, type, read) as unknown as Metric)
  }
}

const valuesOf = (read: number | Samples<number>): Value[] =>
  typeof read === 'number' ? [{ labels: {}, value: read }] : [...read].map(([labels, value]) => ({ labels, value }))

function bucketValues(name: string, labels: Labels, { bounds, counts, sum }: Buckets): Value[] {
  const values: Value[] = []
  let count = 0
  for (const [at, each] of counts.entries()) {
    count += each
    const le = at < bounds.length ? String(bounds[at]) : '+Inf'
    values.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count })
  }
  values.push({ metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: count })
  return values
}
