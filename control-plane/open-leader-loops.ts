import type { UseCase } from '../proto/gen/ferry/v1/use_case_pb.ts'
import type { Logger } from '../runtime/log.ts'
import type { Redis } from '../runtime/redis.ts'
import { sampleAllLags } from './attempts/lag-sampler.ts'
import { LeaderLoop } from './attempts/leader-loop.ts'
import type { Fleet } from './fleet/fleet.ts'
import type { TopicSource } from './fleet/topic-source.ts'
import type { RetryBatchRunner } from './retry-batches/run.ts'
import type { DescriptorSets } from './store/descriptor-sets.ts'
import type { Registry } from './use-cases/registry.ts'

interface LeaderWork {
  readonly redis: Redis
  readonly source: TopicSource
  readonly samplesPrefix: string
  readonly registry: Registry
  readonly descriptorSets: DescriptorSets
  readonly runner: RetryBatchRunner
  readonly fleet: Fleet
  readonly log: Logger
}

export interface LeaderLoops {
  readonly loops: readonly LeaderLoop[]
  /** How far use cases were behind at the last round that sampled them. */
  readonly lags: () => ReadonlyMap<UseCase, number>
}

/** What the leader does beside leading the fleet. */
export function openLeaderLoops(work: LeaderWork): LeaderLoops {
  const { redis, source, samplesPrefix, registry, descriptorSets, runner, fleet, log } = work
  let lags: ReadonlyMap<UseCase, number> = new Map()
  const lead = () => fleet.lead()
  const sampleLags = async (): Promise<void> => {
    const useCases = await registry.all()
    lags = await sampleAllLags({ redis, offsets: source, samplesPrefix }, useCases.values(), Date.now, log)
  }
  const sweepDescriptorSets = async (): Promise<void> => void (await descriptorSets.sweep())
  const loops = [
    new LeaderLoop({ name: 'retry batches', lead, intervalMs: 1000, retryMsMax: 10_000, step: () => runner.step(), log }),
    new LeaderLoop({ name: 'lag samples', lead, intervalMs: 10_000, retryMsMax: 60_000, step: sampleLags, log }),
    new LeaderLoop({ name: 'descriptor sets', lead, intervalMs: 600_000, retryMsMax: 600_000, step: sweepDescriptorSets, log }),
  ]
  return { loops, lags: () => lags }
}
