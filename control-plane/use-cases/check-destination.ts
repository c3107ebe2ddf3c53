import { toJson } from '@bufbuild/protobuf'
import { type Duration, DurationSchema, durationMs } from '@bufbuild/protobuf/wkt'
import type { Destination } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import { checkAuth } from './check-auth.ts'
import { checkBatchOfEvents, checkCloudEvents } from './check-cloud-events.ts'
import { checkPublicHeaders } from './check-headers.ts'
import { checkProxy } from './check-proxy.ts'
import { checkSigning } from './check-signing.ts'
import { checkTls } from './check-tls.ts'
import { checkUrl } from './check-url.ts'
import { defaults } from './defaults.ts'
import { quote, type Violation } from './violation.ts'

const path = 'use_case.spec.destination'

/** nowMs: Unix ms. */
export function checkDestination(destination: Destination, egress: EgressRules, nowMs: number): Violation[] {
  const { url, headers, auth, signing, tls, cloudEvents, batch, proxy } = destination
  return [
    ...checkUrl(`${path}.url`, url, egress),
    ...checkPublicHeaders(`${path}.headers`, headers),
    ...(auth ? checkAuth(`${path}.auth`, auth, Object.keys(headers), egress) : []),
    ...(signing ? checkSigning(`${path}.signing`, signing) : []),
    ...(tls ? checkTls(`${path}.tls`, tls, url, nowMs) : []),
    ...(cloudEvents ? checkCloudEvents(`${path}.cloud_events`, cloudEvents, headerNames(destination)) : []),
    ...(proxy ? checkProxy(`${path}.proxy`, proxy, egress) : []),
    ...(cloudEvents && batch ? checkBatchOfEvents(`${path}.cloud_events`, cloudEvents, `${path}.batch`, batch) : []),
    ...checkTimeouts(destination),
  ]
}

function headerNames({ headers, auth }: Destination): { field: string; name: string }[] {
  const secrets = auth?.scheme.case === 'apiKey' ? Object.keys(auth.scheme.value.headers) : []
  const named = (field: string, names: readonly string[]) =>
    names.map((name) => ({ field: `${path}.${field}[${quote(name)}]`, name }))
  return [...named('headers', Object.keys(headers)), ...named('auth.api_key.headers', secrets)]
}

function checkTimeouts({ requestTimeout, connectTimeout }: Destination): Violation[] {
  if (connectTimeout === undefined) return []
  const longestMs = requestTimeout ? durationMs(requestTimeout) : defaults.requestTimeoutMs
  if (durationMs(connectTimeout) <= longestMs) return []
  const field = `${path}.connect_timeout`
  const longest = requestTimeout ? secondsOf(requestTimeout) : `${defaults.requestTimeoutMs / 1000}s (the default)`
  const description = `${field} must be at most the request_timeout of ${longest}; given ${secondsOf(connectTimeout)}`
  return [{ field, description, reason: 'INTERVAL_ORDER' }]
}

/** As ProtoJSON has it; durations beyond its range are refused by the contract's rules. */
function secondsOf(duration: Duration): string {
  try {
    return String(toJson(DurationSchema, duration))
  } catch {
    return `${duration.seconds}s`
  }
}
