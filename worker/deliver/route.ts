import { Conversion } from '../../convert/conversion.ts'
import { compileFilter } from '../../convert/filter/compile-filter.ts'
import { defaultFilterLimits } from '../../convert/filter/filter-limits.ts'
import type { UseCase, UseCaseSpec } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import type { Decoder } from '../decode/decoder.ts'
import { compileDecoder, type DecodeLimits } from '../decode/decoder.ts'
import { Access } from './access.ts'
import { compileTarget, lookForTrouble, seeTrouble } from './compile-target.ts'
import type { Target } from './flight.ts'
import { compilePlan, type Plan } from './plan.ts'

/** One revision of a use case, compiled: how bytes become a body, where and how it is sent, and whether it may be. */
export interface Route {
  readonly plan: Plan
  readonly target: Target
  readonly access: Access
  readonly decode: Decoder
  /** In place of decode, for a use case that filters or transforms. */
  readonly conversion: Conversion | undefined
}

/** What a worker gives to all of its routes. */
export interface RouteMeans {
  readonly limits: DecodeLimits
  readonly egress: EgressRules
}

/** Throws PlanError, SchemaError or ExpressionError when this worker cannot carry the revision out. */
export function compileRoute(useCase: UseCase, { limits, egress }: RouteMeans): Route {
  const plan = compilePlan(useCase)
  const decode = compileDecoder(useCase.spec!.decode!, limits)
  return {
    plan,
    target: compileTarget(plan, egress),
    access: new Access(() => lookForTrouble(plan, egress), seeTrouble(plan, egress)),
    decode,
    conversion: compileConversion(useCase.spec!, decode),
  }
}

function compileConversion({ filter }: UseCaseSpec, decode: Decoder): Conversion | undefined {
  return filter === '' ? undefined : new Conversion(decode, compileFilter(filter, defaultFilterLimits))
}
