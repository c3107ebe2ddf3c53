import { UseCaseSchema } from '../proto/gen/ferry/v1/use_case_pb.ts'
import type { ClickHouseClient } from '../runtime/clickhouse.ts'
import type { Redis } from '../runtime/redis.ts'
import { OperatorLog } from './audit/operator-log.ts'
import type { ControlPlaneConfig } from './config.ts'
import { LaneStore } from './fleet/lane-store.ts'
import { ParkedCounter } from './fleet/parked-counter.ts'
import type { TopicSource } from './fleet/topic-source.ts'
import { openReplayDefinitions } from './open-replays.ts'
import { findViolations } from './serve/validate-request.ts'
import { AuditLog } from './store/audit-log.ts'
import { controlKeys } from './store/control-keys.ts'
import { DescriptorSets } from './store/descriptor-sets.ts'
import { Records } from './store/records.ts'
import { Lifecycle } from './use-cases/lifecycle.ts'
import { Registry } from './use-cases/registry.ts'
import { UseCaseSecrets } from './use-cases/use-case-secrets.ts'

export interface UseCaseConnections {
  readonly redis: Redis
  readonly clickhouse: ClickHouseClient
  readonly source: TopicSource
}

/** Definitions: what was asked for, and the history of it. */
export function openUseCases(config: ControlPlaneConfig, { redis, clickhouse, source }: UseCaseConnections) {
  const keys = controlKeys()
  const { useCasesMax, useCasesPerNamespaceMax, outboxEntriesMax } = config
  const limits = { useCasesMax, useCasesPerNamespaceMax, outboxEntriesMax }
  const records = new Records({ redis, keys, ...limits, preparedTimeoutMs: 5000 })
  const descriptorSets = new DescriptorSets(redis, keys, config.descriptorSetsMax)
  const registry = new Registry({
    records,
    descriptorSets,
    validation: {
      egress: config.egress,
      clusters: config.clusters.map((each) => each.name),
      schemaRegistries: config.registries.map((each) => each.name),
      topics: { partitions: async (name, topic) => (await source.partitions(name, topic))?.length },
      contractViolations: (useCase) => findViolations(UseCaseSchema, useCase),
    },
    secrets: new UseCaseSecrets(config.secretKeys),
    nowMs: Date.now,
  })
  const parked = new ParkedCounter(source, new LaneStore(redis))
  const lifecycle = new Lifecycle({ records, parked, nowMs: Date.now })
  const operatorLog = new OperatorLog({ redis, keys, outboxEntriesMax, nowMs: Date.now })
  return {
    keys,
    registry,
    lifecycle,
    descriptorSets,
    operatorLog,
    replays: openReplayDefinitions(config, redis, keys, registry),
    auditLog: new AuditLog(clickhouse, config.clickhouseTimeoutMs),
  }
}
export type UseCases = ReturnType<typeof openUseCases>
