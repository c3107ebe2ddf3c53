import { toBinary } from '@bufbuild/protobuf'
import type { JsonataEvaluation } from '../../convert/jsonata/jsonata.ts'
import { compileTransform } from '../../convert/transform/compile-transform.ts'
import { defaultTransformLimits } from '../../convert/transform/transform-limits.ts'
import { TransformSpecError } from '../../convert/transform/transform-problem.ts'
import { type TransformStep, TransformStepSchema } from '../../proto/gen/ferry/v1/transform_pb.ts'
import type { UseCaseSpec } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Violation } from './violation.ts'

const field = 'use_case.spec.transform'

/** Definitions are kept in Redis and read often. */
const BYTES_MAX = 64 * 1024

/** What the contract's own rules say of these is said already. */
const byContract: ReadonlySet<string> = new Set(['', 'set', 'cast.to'])

/** Only workers evaluate. */
const nothingRuns: JsonataEvaluation = { evaluate: () => Promise.reject(new Error('nothing is evaluated here')) }

/** Says everything that is wrong with a transform's steps, as the worker that compiles them would. What the contract says is not repeated. */
export function checkTransform(steps: readonly TransformStep[]): Violation[] {
  const bytes = steps.reduce((sum, step) => sum + toBinary(TransformStepSchema, step).length, 0)
  if (bytes > BYTES_MAX) {
    const description = `${field} must have at most ${BYTES_MAX} bytes in all its steps together; given ${bytes}`
    return [{ field, description, reason: 'TRANSFORM_INVALID' }]
  }
  try {
    compileTransform(steps, defaultTransformLimits, nothingRuns)
    return []
  } catch (error) {
    if (!(error instanceof TransformSpecError)) throw error
    return error.problems.flatMap(({ step, field: inner, message }) => {
      if (byContract.has(inner)) return []
      const isKey = inner.startsWith('the key of ')
      const path = `${field}[${step}]${inner === '' ? '' : `.${inner.replace('the key of ', '')}`}`
      return { field: path, description: `${isKey ? 'the key of ' : ''}${path} ${message}`, reason: 'TRANSFORM_INVALID' }
    })
  }
}

/** Batches are filled at once, and JSONata's bodies come later. */
export function checkTransformedBatches({ transform, destination }: UseCaseSpec): Violation[] {
  const at = transform.findIndex(({ step }) => step.case === 'jsonata')
  if (destination?.batch === undefined || at < 0) return []
  const batch = 'use_case.spec.destination.batch'
  const description = `${batch} must be left out of a use case with a jsonata step, such as ${field}[${at}]: use the other steps, or single requests`
  return [{ field: batch, description, reason: 'TRANSFORM_INVALID' }]
}
