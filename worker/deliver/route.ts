import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Decoder } from '../decode/decoder.ts'
import { compileDecoder, type DecodeLimits } from '../decode/decoder.ts'
import type { Target } from './flight.ts'
import { compilePlan, type Plan } from './plan.ts'

/** One revision of a use case, compiled: how bytes become a body, and where and how it is sent. */
export interface Route {
  readonly plan: Plan
  readonly target: Target
  readonly decode: Decoder
}

/** Throws PlanError or SchemaError when this worker cannot carry the revision out. */
export function compileRoute(useCase: UseCase, limits: DecodeLimits): Route {
  const plan = compilePlan(useCase)
  const { origin, path, method, requestTimeoutMs, connectTimeoutMs, responseBodyBytesMax } = plan
  return {
    plan,
    target: { origin, path, method, requestTimeoutMs, connectTimeoutMs, responseBodyBytesMax },
    decode: compileDecoder(useCase.spec!.decode!, limits),
  }
}
