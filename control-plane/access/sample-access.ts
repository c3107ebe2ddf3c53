import type { Redis } from '../../runtime/redis.ts'
import { openSampleControl, prepare, type SampleControl } from '../store/sample-control.ts'
import { CallBudget } from './call-budget.ts'
import { anonymous } from './caller.ts'
import { readCertificateRoles } from './certificate-roles.ts'
import { Gate } from './gate.ts'
import { HandOver } from './hand-over.ts'
import { KnownTokens } from './known-tokens.ts'
import { hashOf, newSecret } from './token-secret.ts'
import { TokenStore } from './token-store.ts'
import { Tokens } from './tokens.ts'

/** Who asks where the test does not say. */
export const wholeAdmin = { identity: { ...anonymous, name: 'admin' }, actor: 'admin' }

/** One replica's way to know who calls, on the Redis of a sample control plane, with clocks as the test says. */
export class SampleAccess {
  readonly store: TokenStore
  readonly tokens: Tokens
  readonly known: KnownTokens
  readonly gate: Gate
  readonly handOver: HandOver
  static readonly adminSecret = newSecret()
  nowMs = 1_700_000_000_000
  monotonicMs = 0

  constructor({ redis, keys }: { readonly redis: Redis; readonly keys: SampleControl['keys'] }, tokensMax = 100, open = false) {
    const nowMs = () => this.nowMs
    const monotonicMs = () => this.monotonicMs
    this.store = new TokenStore({ redis, keys, tokensMax, outboxEntriesMax: 1000 })
    this.tokens = new Tokens({ store: this.store, open, nowMs })
    this.known = new KnownTokens({ store: this.store, ageMsMax: 1000, useMs: 600_000, monotonicMs, nowMs })
    this.handOver = new HandOver({ redis, key: keys.handOverKey, validMs: 30_000, keyAgeMsMax: 10_000, nowMs })
    this.gate = new Gate({
      ...{ open, tokens: this.known, handOver: this.handOver },
      adminHashes: new Set([hashOf(SampleAccess.adminSecret)]),
      certificates: readCertificateRoles('dns:worker.acme=worker,uri:spiffe://acme/ci=editor@shop+billing'),
      budget: new CallBudget({ callsPerSecondMax: 5, monotonicMs }),
    })
  }
}

export async function openSampleAccess(redisUrl: string, tokensMax = 100): Promise<SampleAccess & { control: SampleControl }> {
  const control = openSampleControl(redisUrl)
  await prepare(control)
  return Object.assign(new SampleAccess(control, tokensMax), { control })
}
