import type { UseCase, UseCaseSpec } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import { checkBlocking } from './check-blocking.ts'
import { checkDeadLetters, checkDeadLetterTopic } from './check-dead-letters.ts'
import { checkDecode, type DecodeContext } from './check-decode.ts'
import { checkDelivery } from './check-delivery.ts'
import { checkDestination } from './check-destination.ts'
import { checkClass, checkGroupLimits } from './check-endpoint-group.ts'
import { checkFilter } from './check-filter.ts'
import { checkImmutable } from './check-immutable.ts'
import { checkRetry } from './check-retry.ts'
import { checkSource, checkTopic, type SourceContext } from './check-source.ts'
import { checkTransform, checkTransformedBatches } from './check-transform.ts'
import type { StoredSpec } from './stored-spec.ts'
import type { Violation } from './violation.ts'

/** What the contract's own rules say. */
export interface ContractViolation {
  /** Path that begins below the use case: `spec.retry.max_retries`. */
  readonly field: string
  readonly description: string
  readonly reason?: string
}

export interface ValidateContext extends SourceContext, DecodeContext {
  /** Where workers may connect to. */
  readonly egress: EgressRules
  /** What is wrong with a use case by the contract's own rules. */
  readonly contractViolations: (useCase: UseCase) => readonly ContractViolation[]
  /** All that are registered. */
  readonly useCases: () => Promise<Iterable<UseCase>>
  /** Unix ms. */
  readonly nowMs: () => number
}

export interface ValidateOptions {
  /** The definition that changes; some fields may not. */
  readonly before?: UseCaseSpec
  /** Kafka is asked for the topic of a new use case only: an endpoint can be mended while Kafka is away. */
  readonly asksKafka: boolean
}

/**
 * Everything that is wrong with a use case, all at once: the contract's rules and what they cannot say.
 * Throws UseCaseError SOURCE_UNAVAILABLE.
 */
export async function validate(
  useCase: UseCase,
  stored: StoredSpec,
  { before, asksKafka }: ValidateOptions,
  context: ValidateContext,
): Promise<Violation[]> {
  const byContract = context.contractViolations(useCase).map((each) => fromContract(each))
  const spec = useCase.spec
  if (!spec) return byContract
  const own: Violation[] = []
  const { destination } = stored.spec
  if (spec.delivery) own.push(...checkDelivery(spec.delivery))
  if (destination) own.push(...checkDestination(destination, context.egress, context.nowMs()))
  if (spec.retry) own.push(...checkRetry(spec.retry), ...checkBlocking(spec), ...checkDeadLetters(spec))
  own.push(...checkClass(useCase))
  if (spec.destination?.endpointGroup) own.push(...checkGroupLimits(useCase, await context.useCases()))
  own.push(...checkFilter(spec.filter), ...checkTransform(spec.transform), ...checkTransformedBatches(spec))
  own.push(...(await checkDecode(stored, context)))
  const sourceIsReadable = !byContract.some((each) => each.field.startsWith('use_case.spec.source'))
  if (before) {
    if (sourceIsReadable) own.push(...checkImmutable(before, spec))
  } else if (spec.source) {
    own.push(...checkSource(spec.source, context.clusters))
    if (asksKafka && sourceIsReadable) own.push(...(await checkTopic(spec.source, context)))
  }
  const isNewTopic = spec.retry?.deadLetterTopic !== before?.retry?.deadLetterTopic
  if (sourceIsReadable && isNewTopic && (asksKafka || before)) own.push(...(await checkDeadLetterTopic(spec, context)))
  // Where both complain about a field, the sentence here says more.
  const said = new Set(own.map((each) => each.field))
  return [...byContract.filter((each) => !said.has(each.field)), ...own]
}

function fromContract({ field, description, reason }: ContractViolation): Violation {
  const full = `use_case${field === '' || field.startsWith('[') ? '' : '.'}${field}`
  const sentence = field !== '' && description.startsWith(field) ? `use_case.${description}` : description
  return { field: full, description: sentence, reason: reason ?? 'INVALID' }
}
