import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import type { Trouble } from './access.ts'
import type { TlsOptions } from './compile-tls.ts'
import { findEgressProblem, guardedConnector } from './egress-guard.ts'
import type { Target } from './flight.ts'
import type { Plan } from './plan.ts'

/** Where requests of a plan go. */
export function compileTarget(plan: Plan, egress: EgressRules, tls: TlsOptions = {}): Target {
  const { origin, path, method, requestTimeoutMs, connectTimeoutMs, responseBodyBytesMax } = plan
  const connect = guardedConnector(egress, { timeout: connectTimeoutMs, ...tls })
  return { origin, path, method, requestTimeoutMs, connect, responseBodyBytesMax }
}

/** What keeps a plan's requests from being sent, as far as its URL alone says. */
export function seeTrouble({ origin }: Plan, egress: EgressRules): Trouble | undefined {
  const message = egress.hostProblem(new URL(origin).hostname)
  return message === undefined ? undefined : { condition: LaneCondition.ENDPOINT_BLOCKED, message }
}

/** What keeps a plan's requests from being sent now. */
export async function lookForTrouble({ origin }: Plan, egress: EgressRules): Promise<Trouble | undefined> {
  const message = await findEgressProblem(egress, new URL(origin).hostname)
  return message === undefined ? undefined : { condition: LaneCondition.ENDPOINT_BLOCKED, message }
}
