import type { Logger } from '../runtime/log.ts'
import type { Redis } from '../runtime/redis.ts'
import { LeaderLoop } from './attempts/leader-loop.ts'
import type { LogReader } from './attempts/log-reader.ts'
import type { VerifiedTopic } from './attempts/topic-offsets.ts'
import type { ControlPlaneConfig } from './config.ts'
import type { Fleet } from './fleet/fleet.ts'
import { replayKind } from './replays/replay.ts'
import { ReplayDefinitions } from './replays/replay-definitions.ts'
import { Replays } from './replays/replays.ts'
import { ReplayRunner } from './replays/run-replays.ts'
import type { Spool } from './spool/spool.ts'
import type { ControlKeys } from './store/control-keys.ts'
import { orderKeys } from './store/order-keys.ts'
import { OrderStore } from './store/order-store.ts'
import type { Registry } from './use-cases/registry.ts'

/** Replays in Redis, and as the fleet knows them. */
export function openReplayDefinitions(
  config: ControlPlaneConfig,
  redis: Redis,
  control: ControlKeys,
  registry: Pick<Registry, 'getByUid'>,
) {
  const { replaysMax: activeMax, replaysKeptMax: keptMax, outboxEntriesMax } = config
  const store = new OrderStore(replayKind, { redis, keys: orderKeys('replays'), control, activeMax, keptMax, outboxEntriesMax })
  const useCaseByUid = (uid: string) => registry.getByUid(uid)
  return { store, definitions: new ReplayDefinitions({ store, useCaseByUid, nowMs: Date.now }) }
}

export interface ReplayParts extends ReturnType<typeof openReplayDefinitions> {
  readonly log: LogReader
  readonly redis: Redis
  readonly source: VerifiedTopic
  readonly spool: Pick<Spool, 'waiting'>
  readonly registry: Pick<Registry, 'get' | 'getByUid'>
  readonly fleet: Pick<Fleet, 'lead' | 'lookAtUseCases'>
  readonly logger: Logger
}

/** What operators do with replays, and who ends them. */
export function openReplays({ store, definitions, log, redis, source, spool, registry, fleet, logger }: ReplayParts) {
  const changed = () => fleet.lookAtUseCases()
  const lead = () => fleet.lead()
  const runner = new ReplayRunner({
    ...{ store, definitions, log, redis, lead, changed, logger, nowMs: Date.now },
    useCaseByUid: (uid) => registry.getByUid(uid),
    logIsWhole: async () => (await spool.waiting()) === 0,
  })
  const step = () => runner.step()
  const useCase = (name: string) => registry.get(name)
  return {
    api: new Replays({ store, log, redis, offsets: source, useCase, changed, nowMs: Date.now }),
    loop: new LeaderLoop({ name: 'replays', lead, intervalMs: 1000, retryMsMax: 10_000, step, log: logger }),
  }
}
