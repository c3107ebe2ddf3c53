import { type Client, createClient, type Transport } from '@connectrpc/connect'
import { DeliveryService } from './gen/ferry/v1/delivery_service_pb.ts'
import { FleetService } from './gen/ferry/v1/fleet_service_pb.ts'
import { ReplayService } from './gen/ferry/v1/replay_service_pb.ts'
import { RetryBatchService } from './gen/ferry/v1/retry_batch_service_pb.ts'
import { TokenService } from './gen/ferry/v1/token_service_pb.ts'
import { UseCaseService } from './gen/ferry/v1/use_case_service_pb.ts'
import { VerificationService } from './gen/ferry/v1/verification_service_pb.ts'

/** The services that people and teams call. */
export interface ServiceClients {
  readonly useCases: Client<typeof UseCaseService>
  readonly deliveries: Client<typeof DeliveryService>
  readonly retryBatches: Client<typeof RetryBatchService>
  readonly replays: Client<typeof ReplayService>
  readonly fleet: Client<typeof FleetService>
  readonly verifications: Client<typeof VerificationService>
  readonly tokens: Client<typeof TokenService>
}

/** All of them over one connection. */
export const createServiceClients = (transport: Transport): ServiceClients => ({
  useCases: createClient(UseCaseService, transport),
  deliveries: createClient(DeliveryService, transport),
  retryBatches: createClient(RetryBatchService, transport),
  replays: createClient(ReplayService, transport),
  fleet: createClient(FleetService, transport),
  verifications: createClient(VerificationService, transport),
  tokens: createClient(TokenService, transport),
})
