/** A safeguard of the running processes switched off, and the scenario that must notice. The lane model (test/model) has those of the protocol. */
export interface Mutation {
  readonly safeguard: string
  readonly file: string
  /** Exactly one place in the file. */
  readonly find: string
  readonly replace: string
  /** The whole name of a scenario. */
  readonly scenario: string
}

const lease = 'worker/session/lease.ts'
const laneState = 'worker/lane/lane-state.ts'

export const mutations: readonly Mutation[] = [
  {
    safeguard: 'take-over look-up',
    file: 'worker/lane/takeover.ts',
    find: 'if (base.clean) return undefined',
    replace: 'if (base !== undefined) return undefined',
    scenario: 'all workers are killed when no checkpoint has come through for a second',
  },
  {
    safeguard: 'settled-only checkpoints: a record counts when it is answered, not when its row is durable',
    file: 'worker/lane/settling.ts',
    find: '    if (slot >= 0) this.#leave(slot)\n    load.span?.end(row)',
    replace:
      '    if (slot >= 0 && entry === undefined) this.window.tracker.end(slot)\n    if (slot >= 0) this.#leave(slot)\n    load.span?.end(row)',
    scenario: 'all workers are killed when the log has taken nothing for two seconds',
  },
  {
    safeguard: 'drain',
    file: 'worker/main.ts',
    find: "    log.info({}, 'worker: draining')",
    replace: "    globalThis.process.kill(globalThis.process.pid, 'SIGKILL')",
    scenario: 'a worker is told to stop',
  },
  {
    safeguard: 'touch: the lease ends',
    file: lease,
    find: 'return now < this.#monotonicEnd && nowMs < this.#wallEnd',
    replace: 'return now < Number.POSITIVE_INFINITY && nowMs > 0',
    scenario: 'one worker is cut off from Redis and the control plane for longer than its lease',
  },
  {
    safeguard: 'expel: lanes are taken only from a worker whose lease is over',
    file: 'control-plane/fleet/expel.ts',
    find: "if redis.call('GET', KEYS[1]) == 'alive' then return math.max(redis.call('PTTL', KEYS[1]), 1) end",
    replace: '',
    scenario: 'one worker does not reach the control plane',
  },
  {
    safeguard: 'version equality',
    file: laneState,
    find: 'if lane[3] ~= ARGV[3] then',
    replace: 'if lane[3] ~= ARGV[3] and lane[4] == ARGV[4] then',
    scenario: 'Redis goes back by a second, and its owners die when they have gone on',
  },
  {
    safeguard: 'insert token',
    file: 'worker/record/log-insert.ts',
    find: 'insert_deduplication_token: token,',
    replace: 'insert_deduplication_token: `$' + '{token}-$' + '{Math.random()}`,',
    scenario: 'ClickHouse carries inserts out and its answers are lost',
  },
  {
    safeguard: 'order of a key',
    file: 'worker/lane/window.ts',
    find: '} else if (this.order.enter(slot, keyHash)) this.makeReady(slot)',
    replace: '} else {\n      this.order.enter(slot, keyHash)\n      this.makeReady(slot)\n    }',
    scenario: 'a hot key fails for a while',
  },
  {
    safeguard: 'credit: giving up is paid for by success',
    file: 'worker/deliver/credit.ts',
    find: 'return rest < 0 ? -1 : rest',
    replace: 'return Math.max(0, rest)',
    scenario: 'an outage and a pause outlast the retry policy',
  },
]
