import type { Logger } from '../runtime/log.ts'
import type { Redis } from '../runtime/redis.ts'
import type { LogReader } from './attempts/log-reader.ts'
import type { TopicOffsets } from './attempts/topic-offsets.ts'
import type { ControlPlaneConfig } from './config.ts'
import type { Fleet } from './fleet/fleet.ts'
import { batchKind } from './retry-batches/batch.ts'
import { RetryBatches } from './retry-batches/retry-batches.ts'
import { RetryBatchRunner } from './retry-batches/run.ts'
import type { Spool } from './spool/spool.ts'
import type { ControlKeys } from './store/control-keys.ts'
import { orderKeys } from './store/order-keys.ts'
import { OrderStore } from './store/order-store.ts'
import type { Registry } from './use-cases/registry.ts'

export interface RetryBatchParts {
  readonly log: LogReader
  readonly redis: Redis
  readonly keys: ControlKeys
  readonly source: TopicOffsets
  readonly spool: Pick<Spool, 'waiting'>
  readonly registry: Pick<Registry, 'get' | 'getByUid'>
  readonly fleet: Pick<Fleet, 'lead' | 'markInbox'>
  readonly logger: Logger
}

/** Retry batches, and who drives them. */
export function openRetryBatches(config: ControlPlaneConfig, parts: RetryBatchParts) {
  const { log, redis, keys, source: offsets, spool, registry, fleet, logger } = parts
  const store = new OrderStore(batchKind, {
    ...{ redis, keys: orderKeys('retry-batches'), control: keys, outboxEntriesMax: config.outboxEntriesMax },
    activeMax: config.retryBatchesMax,
    keptMax: config.retryBatchesKeptMax,
  })
  const useCaseByUid = (uid: string) => registry.getByUid(uid)
  const useCase = (name: string) => registry.get(name)
  const batches = new RetryBatches({ store, log, redis, offsets, useCase, useCaseByUid, nowMs: Date.now })
  const runner = new RetryBatchRunner({
    ...{ store, log, redis, useCaseByUid, logger, nowMs: Date.now },
    lead: () => fleet.lead(),
    logIsWhole: async () => (await spool.waiting()) === 0,
    markInbox: (lane) => fleet.markInbox(lane),
    limits: {
      ...{ pageSize: 1000, pagesPerTurn: 20, inboxMax: config.inboxMax, restFactor: 2, forgetAfterMs: 3_600_000 },
      ...{ settleMs: 2000, sweepAfterMs: 10_000, sweepMsMax: 60_000 },
    },
  })
  return { batches, runner }
}
