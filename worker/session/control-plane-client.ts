import { create } from '@bufbuild/protobuf'
import { type Client, createClient } from '@connectrpc/connect'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import {
  FetchUseCasesRequestSchema,
  type HeartbeatRequest,
  type HeartbeatResponse,
  WorkerService,
} from '../../proto/gen/ferry/v1/worker_service_pb.ts'
import { createGrpcJsTransport } from '../../proto/grpc-transport.ts'

/** Calls the replicas in turn: whichever answers will do. */
export class ControlPlaneClient {
  readonly #replicas: { client: Client<typeof WorkerService>; close: () => void }[]
  readonly #timeoutMs: number
  #current = 0

  constructor(addresses: readonly string[], timeoutMs: number) {
    this.#timeoutMs = timeoutMs
    this.#replicas = addresses.map((address) => {
      const transport = createGrpcJsTransport(address)
      return { client: createClient(WorkerService, transport), close: () => transport.close() }
    })
  }

  heartbeat(request: HeartbeatRequest): Promise<HeartbeatResponse> {
    return this.#call((client) => client.heartbeat(request, { timeoutMs: this.#timeoutMs }))
  }

  async fetchUseCases(uids: readonly string[]): Promise<readonly UseCase[]> {
    const request = create(FetchUseCasesRequestSchema, { uids: [...uids] })
    return (await this.#call((client) => client.fetchUseCases(request, { timeoutMs: this.#timeoutMs }))).useCases
  }

  async #call<T>(call: (client: Client<typeof WorkerService>) => Promise<T>): Promise<T> {
    try {
      return await call(this.#replicas[this.#current]!.client)
    } catch (error) {
      this.#current = (this.#current + 1) % this.#replicas.length
      throw error
    }
  }

  close(): void {
    for (const { close } of this.#replicas) close()
  }
}
