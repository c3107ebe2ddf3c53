import type { Redis } from '../runtime/redis.ts'
import { CallBudget } from './access/call-budget.ts'
import { Gate } from './access/gate.ts'
import { HandOver } from './access/hand-over.ts'
import { KnownTokens } from './access/known-tokens.ts'
import { TokenStore } from './access/token-store.ts'
import { Tokens } from './access/tokens.ts'
import { isOpen } from './access-settings.ts'
import type { ControlPlaneConfig } from './config.ts'
import type { Taken } from './fleet/leader-client.ts'
import { callerOf } from './serve/who-calls.ts'
import type { ControlKeys } from './store/control-keys.ts'

/** Longer than a call takes to reach the leader, with clocks of replicas some seconds apart. */
const handOverValidMs = 30_000

/** Who calls, and who may. */
export function openAccess(config: ControlPlaneConfig, redis: Redis, keys: ControlKeys) {
  const open = isOpen(config)
  const monotonicMs = () => performance.now()
  const nowMs = Date.now
  const store = new TokenStore({ redis, keys, tokensMax: config.tokensMax, outboxEntriesMax: config.outboxEntriesMax })
  const known = { ageMsMax: config.tokensIntervalMs, useMs: 600_000 }
  const handOver = { redis, key: keys.handOverKey, validMs: handOverValidMs, keyAgeMsMax: 10_000 }
  const gate = new Gate({
    open,
    adminHashes: new Set(config.adminTokenHashes),
    certificates: config.certificateRoles,
    tokens: new KnownTokens({ store, ...known, monotonicMs, nowMs }),
    handOver: new HandOver({ ...handOver, nowMs }),
    budget: new CallBudget({ callsPerSecondMax: config.callsPerSecondMax, monotonicMs }),
  })
  const whoCalls = (taken: Taken) =>
    gate.handOn(callerOf(taken), taken.requestHeader, `${taken.service.typeName}/${taken.method.name}`)
  return { gate, tokens: new Tokens({ store, open, nowMs }), whoCalls }
}
