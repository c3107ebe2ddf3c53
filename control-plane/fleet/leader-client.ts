import type { DescService } from '@bufbuild/protobuf'
import { type CallOptions, type Client, createClient, type HandlerContext } from '@connectrpc/connect'
import { createGrpcJsTransport, type GrpcJsTransport, type GrpcTls } from '../../proto/grpc-transport.ts'
import { FleetError } from './fleet-error.ts'

/** Set on a call that one replica hands to another, so that it is never handed on. */
export const forwardedHeader = 'ferry-forwarded'

/** A call that this replica has taken. */
export type Taken = Pick<HandlerContext, 'requestHeader' | 'values' | 'service' | 'method'>

export interface LeaderClientOptions {
  readonly leaderAddress: () => string | undefined
  /** Headers that tell the leader who made the call. It must be handed on as the same method. */
  readonly whoCalls: (taken: Taken) => Promise<Readonly<Record<string, string>>>
  readonly timeoutMs: number
  /** Another object when certificates have changed; undefined without TLS. Not set: without. */
  readonly tls?: () => GrpcTls | undefined
}

/** Hands calls to the replica that leads. */
export class LeaderClient {
  readonly #options: LeaderClientOptions
  #transport: { readonly address: string; readonly tls: GrpcTls | undefined; readonly transport: GrpcJsTransport } | undefined

  constructor(options: LeaderClientOptions) {
    this.#options = options
  }

  /** Throws FleetError NO_LEADER when none is known, or when the call has been handed on already. */
  async call<S extends DescService, T>(
    service: S,
    taken: Taken,
    call: (client: Client<S>, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const address = this.#options.leaderAddress()
    if (address === undefined || taken.requestHeader.has(forwardedHeader)) {
      throw new FleetError('NO_LEADER', 'no replica leads at this moment: go on, and call again in a second')
    }
    const headers = { [forwardedHeader]: '1', ...(await this.#options.whoCalls(taken)) }
    return call(createClient(service, this.#transportTo(address)), { timeoutMs: this.#options.timeoutMs, headers })
  }

  close(): void {
    this.#transport?.transport.close()
    this.#transport = undefined
  }

  #transportTo(address: string): GrpcJsTransport {
    const tls = this.#options.tls?.()
    if (this.#transport?.address === address && this.#transport.tls === tls) return this.#transport.transport
    this.close()
    const transport = createGrpcJsTransport(address, { callTimeoutMs: this.#options.timeoutMs, tls })
    this.#transport = { address, tls, transport }
    return transport
  }
}
