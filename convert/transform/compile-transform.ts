import type { TransformStep } from '../../proto/gen/ferry/v1/transform_pb.ts'
import type { JsonataEvaluation } from '../jsonata/jsonata.ts'
import { type Json, textOf } from './json-tree.ts'
import type { Step } from './move-fields.ts'
import { Budget } from './places.ts'
import { readStep } from './read-step.ts'
import { TransformError } from './transform-error.ts'
import type { TransformLimits } from './transform-limits.ts'
import { type TransformProblem, TransformSpecError } from './transform-problem.ts'

/** Makes the body that is sent out of the decoded one, which is JSON; later where a step is done elsewhere. Throws or rejects with a TransformError. */
export type Transform = (body: Buffer) => Buffer | Promise<Buffer>

/** A step, or several that are done at once, with its name for errors. */
type Work = { readonly name: string } & ({ readonly step: Step } | { readonly expression: string })

/** Compiles the steps of a use case. Throws TransformSpecError with everything that is wrong with them. */
export function compileTransform(
  steps: readonly TransformStep[],
  limits: TransformLimits,
  jsonata: JsonataEvaluation,
): Transform {
  const problems: TransformProblem[] = []
  const works = steps.flatMap((step, at): Work[] => {
    const work = readStep(step, (field, message) => problems.push({ step: at, field, message }))
    return work === undefined ? [] : [{ ...work, name: `step ${at + 1} (${step.step.case})` }]
  })
  if (problems.length > 0) throw new TransformSpecError(problems)
  return works.some((work) => 'expression' in work) ? later(works, limits, jsonata) : atOnce(works, limits)
}

function atOnce(works: readonly Work[], limits: TransformLimits): Transform {
  const budget = new Budget(limits.fieldsMax)
  return (body) => {
    const given = body.toString().trim()
    let value: Json = given
    budget.reset()
    for (const work of works) value = doStep(work, value, budget)
    return value === given ? body : toBody(value, limits)
  }
}

function later(works: readonly Work[], limits: TransformLimits, jsonata: JsonataEvaluation): Transform {
  return async (body) => {
    const budget = new Budget(limits.fieldsMax)
    budget.reset()
    let value: Json = body.toString().trim()
    for (const work of works) {
      if ('step' in work) value = doStep(work, value, budget)
      else value = await jsonata.evaluate(work.expression, textOf(value)).catch((error: unknown) => fail(work.name, error))
    }
    return toBody(value, limits)
  }
}

function doStep(work: Work, value: Json, budget: Budget): Json {
  try {
    return 'step' in work ? work.step(value, budget) : value
  } catch (error) {
    return fail(work.name, error)
  }
}

function fail(name: string, error: unknown): never {
  throw error instanceof TransformError ? new TransformError(`the transform fails at ${name}: ${error.message}`) : error
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
