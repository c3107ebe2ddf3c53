import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import type { Trouble } from './access.ts'
import type { ProxyTarget } from './compile-proxy.ts'
import type { TlsOptions } from './compile-tls.ts'
import { findEgressProblem, guardedConnector } from './egress-guard.ts'
import { READ_BYTES_MAX, type Target } from './flight.ts'
import type { Plan } from './plan.ts'
import { proxyConnector } from './proxy-connector.ts'

/** Where requests of a plan go. */
export function compileTarget(plan: Plan, egress: EgressRules, tls: TlsOptions, proxy: ProxyTarget | undefined): Target {
  const { origin, path, method, requestTimeoutMs, connectTimeoutMs } = plan
  // The answer to a batch may name the records that failed: all of it is needed, whatever the log keeps.
  const responseBodyBytesMax = plan.batch === undefined ? plan.responseBodyBytesMax : READ_BYTES_MAX
  const connect =
    proxy === undefined
      ? guardedConnector(egress, { timeout: connectTimeoutMs, ...tls })
      : proxyConnector(egress, proxy, connectTimeoutMs, tls)
  return { origin, path, method, requestTimeoutMs, connect, responseBodyBytesMax }
}

/** What keeps a plan's requests from being sent, as far as its URLs alone say. */
export function seeTrouble({ origin }: Plan, egress: EgressRules, proxy: ProxyTarget | undefined): Trouble | undefined {
  const origins = proxy === undefined ? [origin] : [origin, proxy.origin]
  const message = origins.map((each) => egress.hostProblem(new URL(each).hostname)).find((each) => each !== undefined)
  return message === undefined ? undefined : { condition: LaneCondition.ENDPOINT_BLOCKED, message }
}

/** What keeps a plan's requests from being sent now. */
export async function lookForTrouble(
  plan: Plan,
  egress: EgressRules,
  proxy: ProxyTarget | undefined,
): Promise<Trouble | undefined> {
  const trouble = seeTrouble(plan, egress, proxy)
  if (trouble !== undefined) return trouble
  // Who is dialled is asked for: the proxy resolves the endpoint's name itself.
  const { origin } = proxy ?? plan
  const message = await findEgressProblem(egress, new URL(origin).hostname)
  return message === undefined ? undefined : { condition: LaneCondition.ENDPOINT_BLOCKED, message }
}
