import { Conversion } from '../../convert/conversion.ts'
import type { Decoder } from '../../convert/decode/decoder.ts'
import { bodyBytesMax, compileDecoder, type DecodeLimits, type Schemas } from '../../convert/decode/decoder.ts'
import { compileFilter } from '../../convert/filter/compile-filter.ts'
import { defaultFilterLimits } from '../../convert/filter/filter-limits.ts'
import type { JsonataEvaluation } from '../../convert/jsonata/jsonata.ts'
import { compileTransform } from '../../convert/transform/compile-transform.ts'
import { limitBody } from '../../convert/transform/limit-body.ts'
import { defaultTransformLimits } from '../../convert/transform/transform-limits.ts'
import type { UseCase, UseCaseSpec } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { visitSecrets } from '../../proto/visit-secrets.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import { splitUid } from '../../runtime/lane-keys.ts'
import type { SecretKeys } from '../../runtime/secret-keys.ts'
import { Access } from './access.ts'
import { compileBatchedEvents, compileCloudEvents, type WrapItem } from './compile-cloud-events.ts'
import { compileProxy } from './compile-proxy.ts'
import { compileSigning } from './compile-signing.ts'
import { compileTarget, lookForTrouble, seeTrouble } from './compile-target.ts'
import { compileTls } from './compile-tls.ts'
import { compileTokenFetcher } from './compile-token.ts'
import type { FinishRequest } from './finish-request.ts'
import type { Target } from './flight.ts'
import { compilePlan, type Plan } from './plan.ts'
import { PlanError } from './plan-error.ts'
import { TokenSource } from './token-source.ts'

/** One revision of a use case, compiled: how bytes become a body, where and how it is sent, and whether it may be. */
export interface Route {
  readonly plan: Plan
  readonly target: Target
  readonly access: Access
  /** Only with OAuth 2. */
  readonly token: TokenSource | undefined
  /** Only where requests are CloudEvents, or signed. */
  readonly finish: FinishRequest | undefined
  /** Only where the records of a batch are CloudEvents. */
  readonly wrapItem: WrapItem | undefined
  readonly decode: Decoder
  /** In place of decode, for a use case that filters or transforms. */
  readonly conversion: Conversion | undefined
}

/** What a worker gives to all of its routes. */
export interface RouteMeans {
  readonly limits: DecodeLimits
  /** The schema registries that this worker knows; none when it is not given. */
  readonly schemas?: Schemas
  readonly egress: EgressRules
  readonly keys: SecretKeys
  readonly jsonata: JsonataEvaluation
}

/** Throws PlanError, SchemaError, ExpressionError, TransformSpecError or SecretError when this worker cannot carry the revision out. Opens the secrets in `useCase`. */
export function compileRoute(useCase: UseCase, { limits, schemas, egress, keys, jsonata }: RouteMeans): Route {
  if (useCase.spec)
    visitSecrets(useCase.spec, (secret) => {
      if (secret.ref !== '') secret.value = keys.open(secret.ref, splitUid(useCase.uid).uid)
    })
  const plan = compilePlan(useCase)
  if (plan.batch !== undefined && useCase.spec!.transform.some(({ step }) => step.case === 'jsonata'))
    throw new PlanError('UNSUPPORTED', 'spec.destination.batch', 'cannot be combined with a jsonata step')
  const decode = compileDecoder(useCase.spec!.decode!, limits, schemas)
  const token = compileToken(useCase, egress)
  const { tls, proxy } = useCase.spec!.destination!
  const via = compileProxy('spec.destination.proxy', proxy)
  return {
    plan,
    target: compileTarget(plan, egress, compileTls('spec.destination.tls', tls), via),
    access: new Access(() => lookForTrouble(plan, egress, via), seeTrouble(plan, egress, via), token),
    token,
    ...compileFinish(useCase, plan.batch !== undefined),
    decode,
    conversion: compileConversion(useCase.spec!, decode, bodyBytesMax(useCase.spec!.decode!, limits), jsonata),
  }
}

function compileConversion(
  { filter, transform }: UseCaseSpec,
  decode: Decoder,
  bytesMax: number,
  jsonata: JsonataEvaluation,
): Conversion | undefined {
  if (filter === '' && transform.length === 0) return undefined
  return new Conversion(
    decode,
    filter === '' ? undefined : compileFilter(filter, defaultFilterLimits),
    transform.length === 0 ? undefined : limitBody(compileTransform(transform, defaultTransformLimits, jsonata), bytesMax),
  )
}

/** Signatures are made last: they are of the body that is sent. */
function compileFinish({ name, spec }: UseCase, isBatched: boolean): Pick<Route, 'finish' | 'wrapItem'> {
  const { cloudEvents, signing } = spec!.destination!
  const isBase64 = spec!.decode!.format.case === 'bytes' && spec!.transform.length === 0
  const field = 'spec.destination.cloud_events'
  const sign = compileSigning('spec.destination.signing', signing)
  if (isBatched) return { finish: sign, wrapItem: compileBatchedEvents(field, cloudEvents, name, isBase64) }
  const wrap = compileCloudEvents(field, cloudEvents, name, isBase64)
  if (wrap === undefined || sign === undefined) return { finish: wrap ?? sign, wrapItem: undefined }
  const finish: FinishRequest = (headers, lane, record, body, nowMs) =>
    sign(headers, lane, record, wrap(headers, lane, record, body, nowMs), nowMs)
  return { finish, wrapItem: undefined }
}

function compileToken(useCase: UseCase, egress: EgressRules): TokenSource | undefined {
  const scheme = useCase.spec?.destination?.auth?.scheme
  if (scheme?.case !== 'oauth2') return undefined
  return new TokenSource(compileTokenFetcher('spec.destination.auth.oauth2', scheme.value, egress))
}
