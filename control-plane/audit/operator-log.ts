import { defineScript, type Redis } from '../../runtime/redis.ts'
import { askRedis } from '../store/ask-redis.ts'
import { orderRow } from '../store/change.ts'
import { appendChangeLua, refuseAuditLua } from '../store/change-script.ts'
import type { ControlKeys } from '../store/control-keys.ts'
import { outboxFull, unprepared } from '../store/store-error.ts'

export interface OperatorLogOptions {
  readonly redis: Redis
  readonly keys: Pick<ControlKeys, 'changes' | 'outbox'>
  readonly outboxEntriesMax: number
  readonly nowMs: () => number
}

/** What an operator asks for that changes no definition. */
export interface Order {
  readonly action: 'SKIP_DELIVERIES' | 'RETRY_DELIVERIES' | 'TEST' | 'DRAIN_WORKER'
  readonly actor: string
  readonly reason: string
  /** `namespaces/{namespace}/useCases/{id}`; of a worker `workers/{instance}`, which is in no namespace. */
  readonly useCase: string
  /** Empty when it is not registered. */
  readonly uid: string
  /** What was asked for, as JSON has it, without secrets. */
  readonly asked: object
}

/** KEYS changes outbox  ARGV audit entry, most outbox entries */
const appendScript = defineScript(`${appendChangeLua}${refuseAuditLua}
local refused = refuseAudit(KEYS[1], KEYS[2], ARGV[2])
if refused then return refused end
appendChange(KEYS[1], KEYS[2], ARGV[1])
return 'WRITTEN'
`)

/**
 * Writes orders of operators into the audit, before they are carried out: none is without its entry, and one that is then refused, because
 * nothing waits, has one as well. Throws StoreError.
 */
export class OperatorLog {
  readonly #options: OperatorLogOptions

  constructor(options: OperatorLogOptions) {
    this.#options = options
  }

  async write({ action, actor, reason, useCase, uid, asked }: Order): Promise<void> {
    const { redis, keys, outboxEntriesMax, nowMs } = this.#options
    const after = JSON.stringify(asked)
    const row = orderRow({ timeMs: nowMs(), actor, action, useCase, uid, resource: useCase, reason, after })
    const args = [JSON.stringify(row), outboxEntriesMax]
    const kind = String(await askRedis(() => appendScript(redis, [keys.changes, keys.outbox], args)))
    if (kind === 'WRITTEN') return
    throw kind === 'OUTBOX_FULL' ? outboxFull(outboxEntriesMax) : unprepared()
  }
}
