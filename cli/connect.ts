import { type Client, ConnectError, createClient, type Interceptor } from '@connectrpc/connect'
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node'
import { DeliveryService } from '../proto/gen/ferry/v1/delivery_service_pb.ts'
import { FleetService } from '../proto/gen/ferry/v1/fleet_service_pb.ts'
import { ReplayService } from '../proto/gen/ferry/v1/replay_service_pb.ts'
import { RetryBatchService } from '../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { TokenService } from '../proto/gen/ferry/v1/token_service_pb.ts'
import { UseCaseService } from '../proto/gen/ferry/v1/use_case_service_pb.ts'
import { VerificationService } from '../proto/gen/ferry/v1/verification_service_pb.ts'
import type { Settings } from './settings.ts'

/** The services that operators call, over one connection. */
export interface Ferry {
  readonly useCases: Client<typeof UseCaseService>
  readonly deliveries: Client<typeof DeliveryService>
  readonly retryBatches: Client<typeof RetryBatchService>
  readonly replays: Client<typeof ReplayService>
  readonly fleet: Client<typeof FleetService>
  readonly verifications: Client<typeof VerificationService>
  readonly tokens: Client<typeof TokenService>
  close(): void
}

/** Other characters cannot stand in a header: such a name is left out. */
const isHeaderValue = /^[\x20-\x7e]+$/

/** Connects at the first call. Every unary call has the deadline of `--timeout`. */
export function connect(settings: Settings, interrupted: AbortSignal): Ferry {
  const { address, token, actor, ca, certificate, key } = settings
  const tls = { ...(ca && { ca }), ...(certificate && { cert: certificate }), ...(key && { key }) }
  const sessions = new Http2SessionManager(address.origin, {}, tls)
  const signIn: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set('authorization', `Bearer ${token}`)
    if (isHeaderValue.test(actor)) request.header.set('ferry-actor', actor)
    return next(request)
  }
  const stopWhenInterrupted: Interceptor = (next) => async (request) => {
    if (interrupted.aborted) throw ConnectError.from(interrupted.reason)
    return next(request)
  }
  const transport = createGrpcTransport({
    baseUrl: address.origin,
    sessionManager: sessions,
    defaultTimeoutMs: settings.timeoutMs,
    interceptors: [stopWhenInterrupted, signIn],
  })
  return {
    useCases: createClient(UseCaseService, transport),
    deliveries: createClient(DeliveryService, transport),
    retryBatches: createClient(RetryBatchService, transport),
    replays: createClient(ReplayService, transport),
    fleet: createClient(FleetService, transport),
    verifications: createClient(VerificationService, transport),
    tokens: createClient(TokenService, transport),
    close: () => sessions.abort(),
  }
}
