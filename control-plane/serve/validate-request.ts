import { create, type DescMessage, type DescMethod, type DescService, type MessageShape } from '@bufbuild/protobuf'
import { type Path, pathToString, reflect } from '@bufbuild/protobuf/reflect'
import type { FieldMask } from '@bufbuild/protobuf/wkt'
import { createValidator, type Violation } from '@bufbuild/protovalidate'
import { Code, type ConnectError, type Interceptor } from '@connectrpc/connect'
import { describeViolation } from './describe-violation.ts'
import { type FieldViolation, ferryError } from './errors.ts'

const validator = createValidator()

/** How much of the violations the message itself repeats, for clients that do not show details. */
const MESSAGE_LENGTH_MAX = 700

/**
 * Refuses requests that break the contract's rules, with every violation at once. Streams are checked message by message.
 * Methods that check those rules themselves, to tell them together with what only they know, are left to it.
 */
export function validateRequest(selfChecking: readonly DescMethod[]): Interceptor {
  return (next) => async (request) => {
    if (selfChecking.includes(request.method)) return next(request)
    if (request.stream) return next({ ...request, message: validated(request.method.input, request.message) })
    refuseInvalid(request.method.input, request.message)
    return next(request)
  }
}

async function* validated<D extends DescMessage>(desc: D, messages: AsyncIterable<MessageShape<D>>) {
  for await (const message of messages) {
    refuseInvalid(desc, message)
    yield message
  }
}

function refuseInvalid<D extends DescMessage>(desc: D, message: MessageShape<D>): void {
  const violations = findViolations(desc, message)
  if (violations.length > 0) throw invalidRequest(violations)
}

/**
 * Compiles the rules of all requests now: the first caller need not wait for it, and a rule that does not compile stops the
 * process at its start.
 */
export function compileRules(services: readonly DescService[]): void {
  for (const method of services.flatMap((service) => service.methods)) findViolations(method.input, create(method.input))
}

/** What is wrong with a message by the rules of the contract; nothing when it is valid. Throws when a rule itself is broken. */
export function findViolations<D extends DescMessage>(desc: D, message: MessageShape<D>): FieldViolation[] {
  const result = validator.validate(desc, message)
  if (result.kind === 'valid') return []
  if (result.kind === 'error') throw result.error
  const root = reflect(desc, message)
  const mask = (message as { updateMask?: FieldMask }).updateMask?.paths ?? []
  const concerning = result.violations.filter((each) => isWithin(each, mask))
  return distinct(concerning.map((each) => describeViolation(root, each)))
}

/**
 * With an update mask only what it names is applied, so the rest of the resource may be incomplete. Mask paths begin below the
 * resource, which is the first field of the request; its name says which one is meant and is always checked.
 */
function isWithin(violation: Violation, maskPaths: readonly string[]): boolean {
  const path: Path = violation.field
  if (maskPaths.length === 0 || path[0]?.kind !== 'field' || path[0].message === undefined || path.length < 2) return true
  const below = pathToString(path.slice(1))
  return below === 'name' || maskPaths.some((mask) => isPrefix(mask, below) || isPrefix(below, mask))
}

function isPrefix(prefix: string, path: string): boolean {
  return prefix === '*' || path === prefix || path.startsWith(`${prefix}.`) || path.startsWith(`${prefix}[`)
}

/** Two broken rules of one field say the same sentence, because each sentence tells all rules of the field. */
function distinct(violations: readonly FieldViolation[]): FieldViolation[] {
  return [...new Map(violations.map((each) => [each.description, each])).values()]
}

/** INVALID_ARGUMENT with the given violations. */
export function invalidRequest(violations: readonly FieldViolation[]): ConnectError {
  const head = violations.length === 1 ? '' : `${violations.length} fields are wrong: `
  const text = head + violations.map((each) => each.description).join('. ')
  const message = text.length <= MESSAGE_LENGTH_MAX ? text : `${text.slice(0, MESSAGE_LENGTH_MAX)}... (see the error's details)`
  return ferryError(Code.InvalidArgument, 'INVALID_REQUEST', message, { violationCount: String(violations.length) }, violations)
}
