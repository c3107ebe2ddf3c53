import type { Calls } from '../../runtime/metrics/calls.ts'
import type { Metrics } from '../../runtime/metrics/metrics.ts'
import { registerRedis } from '../../runtime/metrics/redis-calls.ts'

export interface StoreParts {
  readonly redis: Calls
  /** Of the log. */
  readonly queries: Calls
  /** By Kafka cluster. */
  readonly questions: ReadonlyMap<string, Calls>
  readonly outbox: { readonly carriedChanges: number; readonly isFailing: boolean }
  readonly migrationsApplied: () => number
}

/** What this replica asks of Redis, ClickHouse and Kafka. */
export function registerStores(metrics: Metrics, parts: () => StoreParts): void {
  registerRedis(metrics, () => parts().redis)
  metrics.calls('ferry_log_query', 'Queries of the log in ClickHouse', {}, () => [[{}, parts().queries]], 'ferry_log_queries')
  metrics.calls(
    'ferry_kafka_question',
    'Questions to Kafka for partitions, offsets and groups',
    { cluster: '`default`, and those of `FERRY_KAFKA_CLUSTERS`' },
    () => [...parts().questions].map(([cluster, calls]) => [{ cluster }, calls] as const),
  )
  metrics.counter(
    { name: 'ferry_audit_changes_total', help: 'Changes that this replica has carried from Redis into the audit in ClickHouse' },
    () => parts().outbox.carriedChanges,
  )
  metrics.gauge({ name: 'ferry_audit_waiting', help: '1 while changes wait because the audit does not take them' }, () =>
    parts().outbox.isFailing ? 1 : 0,
  )
  metrics.counter(
    { name: 'ferry_migrations_applied_total', help: 'Migrations of the tables in ClickHouse that this replica has applied' },
    () => parts().migrationsApplied(),
  )
}
