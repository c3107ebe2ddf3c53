import { createGrpcJsTransport, type GrpcJsTransportOptions } from '../../../proto/grpc-transport.ts'
import { createServiceClients, type ServiceClients } from '../../../proto/service-clients.ts'

const callTimeoutMs = 60_000

export interface FerryClient extends ServiceClients {
  close(): void
}

export function connectFerry(grpcAddress: string, options: GrpcJsTransportOptions = {}): FerryClient {
  const transport = createGrpcJsTransport(grpcAddress, { callTimeoutMs, ...options })
  return { ...createServiceClients(transport), close: () => transport.close() }
}
