import { type UseCase, UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { readSecretKeys } from '../../runtime/secret-keys.ts'
import { findViolations } from '../serve/validate-request.ts'
import { openSampleControl, prepare, type SampleControl, type SampleLimits } from '../store/sample-control.ts'
import { Lifecycle } from './lifecycle.ts'
import { Registry, type Update } from './registry.ts'
import { UseCaseSecrets } from './use-case-secrets.ts'

/** What the tests of the registry ask for. */
export const name = 'namespaces/team/useCases/orders'
export const caller = { actor: 'somebody' }

/** A change that waits for the audit. */
export interface WaitingChange {
  readonly id: number
  readonly action: string
  readonly actor: string
  readonly reason: string
  readonly before: string
  readonly after: string
}

/** A registry on a real Redis, with a clock, a Kafka and parked deliveries as the test says. */
export class SampleRegistry {
  readonly control: SampleControl
  readonly registry: Registry
  readonly lifecycle: Lifecycle
  nowMs = 1_700_000_000_000
  parked = 0
  kafka: 'up' | 'away' = 'up'
  keys = readSecretKeys(`k1:${Buffer.alloc(32, 1).toString('base64')}`)

  constructor(redisUrl: string, limits: SampleLimits = {}) {
    this.control = openSampleControl(redisUrl, limits)
    this.registry = this.replica()
    const parked = { count: async () => this.parked }
    this.lifecycle = new Lifecycle({ records: this.control.records, parked, nowMs: () => this.nowMs })
  }

  static async open(redisUrl: string, limits: SampleLimits = {}): Promise<SampleRegistry> {
    const sample = new SampleRegistry(redisUrl, limits)
    await prepare(sample.control)
    return sample
  }

  /** The registry of another control plane. */
  replica(): Registry {
    return new Registry({
      records: this.control.replica(),
      descriptorSets: this.control.descriptorSets,
      nowMs: () => this.nowMs,
      secrets: new UseCaseSecrets(this.keys),
      validation: {
        egress: readEgressRules('loopback'),
        clusters: ['default'],
        schemaRegistries: ['default'],
        topics: { partitions: async (_cluster, topic) => this.#partitions(topic) },
        contractViolations: (useCase) => findViolations(UseCaseSchema, useCase),
      },
    })
  }

  create(useCase: UseCase): Promise<UseCase> {
    return this.registry.create(useCase, false, caller)
  }

  update(useCase: UseCase, more: Partial<Update> = {}, by = this.registry): Promise<UseCase> {
    return by.update({ useCase, maskPaths: [], allowMissing: false, validateOnly: false, ...more }, caller)
  }

  /** Oldest first. */
  async changes(): Promise<WaitingChange[]> {
    const entries = await this.control.redis.xrange(this.control.keys.outbox, '-', '+')
    return entries.map(([id, [, row]]) => ({ id: Number.parseInt(id, 10), ...JSON.parse(row!) }))
  }

  async actions(): Promise<string[]> {
    return (await this.changes()).map((each) => each.action)
  }

  close(): Promise<void> {
    return this.control.close()
  }

  #partitions(topic: string): number | undefined {
    if (this.kafka === 'away') throw new Error('connection refused')
    return topic === 'orders' ? 3 : undefined
  }
}
