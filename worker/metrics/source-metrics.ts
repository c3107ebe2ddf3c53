import type { Metrics } from '../../runtime/metrics/metrics.ts'
import type { SchemaRegistry } from '../schemas/schema-registry.ts'
import type { FetchCounts } from '../source/fetch-counts.ts'

export interface SourceParts {
  /** By Kafka cluster. */
  readonly fetches: ReadonlyMap<string, FetchCounts>
  readonly registries: ReadonlyMap<string, Pick<SchemaRegistry, 'fetches' | 'knownSchemas' | 'trouble'>>
}

const cluster = { cluster: '`default`, and those of `FERRY_KAFKA_CLUSTERS`' }
const registry = { registry: '`default`, and those of `FERRY_SCHEMA_REGISTRIES`' }

/** What comes in: records from Kafka, schemas from registries. */
export function registerSources(metrics: Metrics, parts: () => SourceParts): void {
  const byCluster = <T>(read: (counts: FetchCounts) => T) =>
    [...parts().fetches].map(([name, counts]) => [{ cluster: name }, read(counts)] as const)
  metrics.calls(
    'ferry_kafka_fetch',
    'Fetches from Kafka, which wait for records',
    cluster,
    () => byCluster(({ calls }) => calls),
    'ferry_kafka_fetches',
  )
  metrics.counter(
    { name: 'ferry_kafka_fetch_bytes_total', help: 'Bytes of record batches that fetches brought', labels: cluster },
    () => byCluster(({ bytes }) => bytes),
  )
  metrics.counter({ name: 'ferry_kafka_fetch_records_total', help: 'Records that fetches brought', labels: cluster }, () =>
    byCluster(({ records }) => records),
  )
  metrics.counter(
    {
      name: 'ferry_kafka_partition_errors_total',
      help: 'Answers that said of a partition that it cannot be read now, by why',
      labels: { ...cluster, error: "Kafka's names of its errors, and `BAD_BATCH`" },
    },
    () =>
      [...parts().fetches].flatMap(([name, { refused }]) =>
        [...refused].map(([error, count]) => [{ cluster: name, error }, count] as const),
      ),
  )
  const byRegistry = <T>(read: (from: SourceParts['registries'] extends ReadonlyMap<string, infer R> ? R : never) => T) =>
    [...parts().registries].map(([name, each]) => [{ registry: name }, read(each)] as const)
  metrics.calls(
    'ferry_schema_fetch',
    'Schemas asked for at a registry (one that it does not have was answered)',
    registry,
    () => byRegistry(({ fetches }) => fetches),
    'ferry_schema_fetches',
  )
  metrics.gauge(
    { name: 'ferry_schemas', help: 'Schema ids that are remembered, the refused ones included', labels: registry },
    () => byRegistry(({ knownSchemas }) => knownSchemas),
  )
  metrics.gauge(
    {
      name: 'ferry_schema_registry_silent',
      help: '1 while the registry gives no schemas: records of unknown ones wait',
      labels: registry,
    },
    () => byRegistry(({ trouble }) => (trouble === undefined ? 0 : 1)),
  )
}
