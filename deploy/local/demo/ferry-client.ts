import { type Client, createClient } from '@connectrpc/connect'
import { DeliveryService } from '../../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { FleetService } from '../../../proto/gen/ferry/v1/fleet_service_pb.ts'
import { ReplayService } from '../../../proto/gen/ferry/v1/replay_service_pb.ts'
import { RetryBatchService } from '../../../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { TokenService } from '../../../proto/gen/ferry/v1/token_service_pb.ts'
import { UseCaseService } from '../../../proto/gen/ferry/v1/use_case_service_pb.ts'
import { VerificationService } from '../../../proto/gen/ferry/v1/verification_service_pb.ts'
import { createGrpcJsTransport, type GrpcJsTransportOptions } from '../../../proto/grpc-transport.ts'

const callTimeoutMs = 60_000

/** The services that people and teams call, over one gRPC connection. */
export interface FerryClient {
  readonly useCases: Client<typeof UseCaseService>
  readonly deliveries: Client<typeof DeliveryService>
  readonly retryBatches: Client<typeof RetryBatchService>
  readonly replays: Client<typeof ReplayService>
  readonly fleet: Client<typeof FleetService>
  readonly tokens: Client<typeof TokenService>
  readonly verifications: Client<typeof VerificationService>
  close(): void
}

export function connectFerry(grpcAddress: string, options: GrpcJsTransportOptions = {}): FerryClient {
  const transport = createGrpcJsTransport(grpcAddress, { callTimeoutMs, ...options })
  return {
    useCases: createClient(UseCaseService, transport),
    deliveries: createClient(DeliveryService, transport),
    retryBatches: createClient(RetryBatchService, transport),
    replays: createClient(ReplayService, transport),
    fleet: createClient(FleetService, transport),
    tokens: createClient(TokenService, transport),
    verifications: createClient(VerificationService, transport),
    close: () => transport.close(),
  }
}
