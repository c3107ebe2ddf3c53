import type { DescMethod, DescService } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import { file_google_rpc_error_details } from '../../proto/gen/google/rpc/error_details_pb.ts'
import { Health } from '../../proto/gen/grpc/health/v1/health_pb.ts'
import { ServerReflection } from '../../proto/gen/grpc/reflection/v1/reflection_pb.ts'
import type { Tracing } from '../../runtime/tracing/tracing.ts'
import { readAccessRules } from '../access/access-rule.ts'
import type { Gate } from '../access/gate.ts'
import { authorize } from './authorize.ts'
import { boundCall } from './bound-call.ts'
import type { CallMeter } from './call-meter.ts'
import { startGrpcListener } from './grpc-listener.ts'
import { createHealth, type HealthOptions } from './health.ts'
import type { Probes } from './http-answers.ts'
import { startHttpListener } from './http-listener.ts'
import { limitCalls } from './limit-calls.ts'
import type { Log } from './log.ts'
import { logRequest } from './log-request.ts'
import { createReflection, describeReflectionV1Alpha } from './reflection.ts'
import { defaultServeLimits, type ServeLimits } from './serve-limits.ts'
import type { ServerTls } from './server-tls.ts'
import { type ServiceEntry, serviceEntry } from './service-entry.ts'
import { traceCalls } from './trace-calls.ts'
import { compileRules, validateRequest } from './validate-request.ts'

type Address = { readonly host: string; readonly port: number }

export type ServeOptions<S extends readonly DescService[]> = Probes & {
  /** Each descriptor with its implementation. A method that is left out answers UNIMPLEMENTED. */
  readonly services: { readonly [I in keyof S]: readonly [S[I], Partial<ServiceImpl<S[I]>>] }
  readonly grpc: Address
  readonly http: Address
  readonly log: Log
  readonly limits?: Partial<ServeLimits>
  /** Counts the calls of these services. */
  readonly calls?: CallMeter
  /** Records them as spans. */
  readonly tracing?: Tracing | undefined
  /** Unary methods that check the contract's rules themselves and tell every violation, theirs and the contract's, at once. */
  readonly selfChecking?: readonly DescMethod[]
  /** Says who calls; asked after logging and before validation. Not set: everybody may everything. */
  readonly gate?: Pick<Gate, 'admit'>
  /** Not set: without TLS. */
  readonly tls?: ServerTls | undefined
  /** Not set: served. */
  readonly reflection?: boolean
}

export type ServeHandle = {
  readonly grpcPort: number
  readonly httpPort: number
  /**
   * Not ready at once; streams end with UNAVAILABLE; unary calls on the way end by themselves or are cut at the deadline.
   * Answers whether nothing had to be cut.
   */
  stop(deadlineMs: number): Promise<boolean>
}

/**
 * Serves one implementation of each service twice: gRPC with reflection and health, and Connect over HTTP/1.1 beside the probes.
 * Throws when a method does not say who may call it.
 */
export async function serve<const S extends readonly DescService[]>(options: ServeOptions<S>): Promise<ServeHandle> {
  const limits = { ...defaultServeLimits, ...options.limits }
  const { log, grpc, http, registry, tls } = options
  const pairs: readonly (readonly [DescService, object])[] = options.services
  const services = pairs.map(([service, implementation]) => serviceEntry(service, implementation))
  compileRules(services.map((entry) => entry.service))
  const rules = readAccessRules(services.map((entry) => entry.service))
  const stopping = new AbortController()
  const cutting = new AbortController()
  const ready = (): readonly string[] => (stopping.signal.aborted ? ['the server is stopping'] : readReasons(options.ready, log))

  const logging = logRequest({ log, slowMs: limits.slowCallMs })
  const bounding = boundCall({ callTimeoutMs: limits.callTimeoutMs, stopping: stopping.signal, cutting: cutting.signal })
  const limiting = limitCalls(limits.callsPerServiceMax)
  const authorizing = options.gate ? [authorize(options.gate, rules)] : []
  const metering = options.calls === undefined ? [] : [options.calls.interceptor]
  const validating = validateRequest(options.selfChecking ?? [])
  const tracing = options.tracing === undefined ? [] : [traceCalls(options.tracing)]
  const interceptors = [...metering, ...tracing, logging, limiting, bounding, ...authorizing, validating]
  const { health, reflections } = createOwnServices(services, { ready, stopping: stopping.signal, pollMs: limits.healthPollMs })
  const grpcListener = await startGrpcListener({
    ...grpc,
    services: [
      ...services.map((entry) => ({ ...entry, interceptors })),
      // Without bound: health ends its watchers itself, after it has told them that the server stops.
      { ...health, interceptors: [logging] },
      ...(options.reflection === false ? [] : reflections).map((entry) => ({
        ...entry,
        interceptors: [logging, limiting, bounding],
      })),
    ],
    ...{ limits, tls, log },
  })
  const httpListener = await startHttpListener({ ...http, services, interceptors, limits, log, registry, ready, tls }).catch(
    async (error) => {
      await grpcListener.stop(0)
      throw error
    },
  )
  return {
    grpcPort: grpcListener.port,
    httpPort: httpListener.port,
    async stop(deadlineMs) {
      stopping.abort()
      // A call that is cut should hear why, and that another replica answers, before its connection goes.
      const timer = setTimeout(() => cutting.abort(), Math.max(0, deadlineMs - limits.cutGraceMs))
      const drained = await Promise.all([grpcListener.stop(deadlineMs), httpListener.stop(deadlineMs)])
      clearTimeout(timer)
      return !cutting.signal.aborted && drained.every((each) => each)
    },
  }
}

function createOwnServices(services: readonly ServiceEntry[], health: Omit<HealthOptions, 'services'>) {
  const reflectionV1Alpha = describeReflectionV1Alpha()
  const all = [...services.map((entry) => entry.service), Health, ServerReflection, reflectionV1Alpha]
  const reflection = serviceEntry(ServerReflection, createReflection(all, [file_google_rpc_error_details]))
  return {
    health: serviceEntry(Health, createHealth({ ...health, services: all })),
    reflections: [reflection, { ...reflection, service: reflectionV1Alpha }],
  }
}

function readReasons(ready: () => readonly string[], log: Log): readonly string[] {
  try {
    return ready()
  } catch (reason) {
    log.error({ error: String(reason) }, 'the readiness check itself failed')
    return ['the readiness check itself failed; see the log']
  }
}
