import { create } from '@bufbuild/protobuf'
import { type Client, Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import {
  type AnswerTrialRequest,
  AnswerTrialRequestSchema,
  FetchUseCasesRequestSchema,
  type HeartbeatRequest,
  type HeartbeatResponse,
  WorkerService,
} from '../../proto/gen/ferry/v1/worker_service_pb.ts'
import { createGrpcJsTransport, type GrpcTls } from '../../proto/grpc-transport.ts'

/** How replicas are called. */
export interface Way {
  readonly interceptors: readonly Interceptor[]
  /** Another object when certificates have changed: then connections are made anew. */
  readonly tls: () => GrpcTls | undefined
}

const plainly: Way = { interceptors: [], tls: () => undefined }

interface Replica {
  readonly client: Client<typeof WorkerService>
  /** What it was connected with. */
  readonly tls: GrpcTls | undefined
  readonly close: () => void
}

/** Nobody answered, or somebody who does not know who leads: another replica may. Any other error is the leader's own word. */
const elsewhereCodes: ReadonlySet<Code> = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.Canceled, Code.Unknown])

/** Calls the replicas in turn: whichever answers will do. */
export class ControlPlaneClient {
  readonly #addresses: readonly string[]
  readonly #replicas: Replica[]
  readonly #timeoutMs: number
  readonly #way: Way
  /** Replaced, with calls that may be on their way: closed when these have ended. */
  readonly #leaving = new Map<Replica, NodeJS.Timeout>()
  #current = 0

  constructor(addresses: readonly string[], timeoutMs: number, way: Way = plainly) {
    this.#addresses = addresses
    this.#way = way
    this.#timeoutMs = timeoutMs
    this.#replicas = addresses.map((address) => connect(address, way))
  }

  heartbeat(request: HeartbeatRequest): Promise<HeartbeatResponse> {
    return this.#call((client) => client.heartbeat(request, { timeoutMs: this.#timeoutMs }))
  }

  async fetchUseCases(uids: readonly string[]): Promise<readonly UseCase[]> {
    const request = create(FetchUseCasesRequestSchema, { uids: [...uids] })
    return (await this.#call((client) => client.fetchUseCases(request, { timeoutMs: this.#timeoutMs }))).useCases
  }

  async answerTrial(id: string, answer: AnswerTrialRequest['answer'], otherWorker: boolean): Promise<void> {
    const request = create(AnswerTrialRequestSchema, { id, answer, otherWorker })
    await this.#call((client) => client.answerTrial(request, { timeoutMs: this.#timeoutMs }))
  }

  async #call<T>(call: (client: Client<typeof WorkerService>) => Promise<T>): Promise<T> {
    const at = this.#current
    if (this.#replicas[at]!.tls !== this.#way.tls()) this.#replace(at)
    const replica = this.#replicas[at]!
    try {
      return await call(replica.client)
    } catch (error) {
      if (elsewhereCodes.has(ConnectError.from(error).code) && this.#replicas[at] === replica) this.#leave(at)
      throw error
    }
  }

  /**
   * The next call goes to the next address, and a later one to this address by a new connection: an address may be a balancer's,
   * and a connection through it stays with one replica for as long as that lives.
   */
  #leave(at: number): void {
    this.#replace(at)
    if (this.#current === at) this.#current = (at + 1) % this.#replicas.length
  }

  #replace(at: number): void {
    const replica = this.#replicas[at]!
    this.#replicas[at] = connect(this.#addresses[at]!, this.#way)
    const timer = setTimeout(() => {
      this.#leaving.delete(replica)
      replica.close()
    }, this.#timeoutMs)
    this.#leaving.set(replica, timer)
  }

  close(): void {
    for (const timer of this.#leaving.values()) clearTimeout(timer)
    for (const { close } of [...this.#replicas, ...this.#leaving.keys()]) close()
    this.#leaving.clear()
  }
}

function connect(address: string, { interceptors, tls }: Way): Replica {
  const now = tls()
  const transport = createGrpcJsTransport(address, { interceptors, tls: now })
  return { client: createClient(WorkerService, transport), tls: now, close: () => transport.close() }
}
