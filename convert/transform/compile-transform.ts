import type { TransformStep } from '../../proto/gen/ferry/v1/transform_pb.ts'
import { type Json, textOf } from './json-tree.ts'
import type { Step } from './move-fields.ts'
import { Budget } from './places.ts'
import { readStep } from './read-step.ts'
import { TransformError } from './transform-error.ts'
import type { TransformLimits } from './transform-limits.ts'
import { type TransformProblem, TransformSpecError } from './transform-problem.ts'

/** Makes the body that is sent out of the decoded one, which is JSON. Throws TransformError. */
export type Transform = (body: Buffer) => Buffer

/** Compiles the steps of a use case. Throws TransformSpecError with everything that is wrong with them. */
export function compileTransform(steps: readonly TransformStep[], limits: TransformLimits): Transform {
  const problems: TransformProblem[] = []
  const works = steps.map((step, at) => {
    const work = readStep(step, (field, message) => problems.push({ step: at, field, message }))
    return { work, name: `step ${at + 1} (${step.step.case})` }
  })
  if (problems.length > 0) throw new TransformSpecError(problems)
  return inTurn(works as { work: Step; name: string }[], limits)
}

function inTurn(works: readonly { readonly work: Step; readonly name: string }[], limits: TransformLimits): Transform {
  const budget = new Budget(limits.fieldsMax)
  return (body) => {
    const given = body.toString().trim()
    let value: Json = given
    budget.reset()
    let doing = ''
    try {
      for (const { work, name } of works) {
        doing = name
        value = work(value, budget)
      }
    } catch (error) {
      if (error instanceof TransformError) throw new TransformError(`the transform fails at ${doing}: ${error.message}`)
      throw error
    }
    return value === given ? body : toBody(value, limits)
  }
}

function toBody(value: Json, { bodyCharsMax }: TransformLimits): Buffer {
  const text = writeText(value)
  if (text === undefined || text.length > bodyCharsMax)
    throw new TransformError(`the transform makes a body of more than ${bodyCharsMax} characters`)
  return Buffer.from(text)
}

/** Undefined when it is longer than any text can be. */
function writeText(value: Json): string | undefined {
  try {
    return textOf(value)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
