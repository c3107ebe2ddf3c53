import { Worker } from 'node:worker_threads'
import jsonata from 'jsonata'
import { parseJson } from '../filter/parse-json.ts'
import type { Evaluate, Evaluated, Evaluations, EvaluatorLimits } from './evaluator-messages.ts'
import { describeJsonataError } from './jsonata-error.ts'

// The process that evaluates JSONata, and nothing else: it has no environment and may read no file but its own code. What an expression
// does to it (memory, time, a regular expression without end) its parent notices from outside.

const EXPRESSIONS_MAX = 200

const { timeoutMs, depthMax, listMax, charsMax } = JSON.parse(process.argv[2]!) as EvaluatorLimits
const compiled = new Map<string, jsonata.Expression>()

// Whole numbers that a double does not hold are bigint, and come out with all their digits.
Object.defineProperty(BigInt.prototype, 'toJSON', {
  value(this: bigint) {
    return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(this))
  },
})

function compile(expression: string): jsonata.Expression {
  const known = compiled.get(expression)
  if (known !== undefined) return known
  if (compiled.size >= EXPRESSIONS_MAX) compiled.clear()
  const fresh = jsonata(expression, { timeout: timeoutMs, stack: depthMax, sequence: listMax })
  compiled.set(expression, fresh)
  return fresh
}

/** Functions have no JSON. */
const withoutFunctions = (_name: string, value: unknown): unknown => {
  const { _jsonata_lambda: lambda, _jsonata_function: native } = (value ?? {}) as Record<string, unknown>
  return lambda === true || native === true ? undefined : value
}

async function evaluate(expression: string, text: string): Promise<Evaluated> {
  try {
    const result: unknown = await compile(expression).evaluate(parseJson(text))
    const made = JSON.stringify(result, withoutFunctions) as string | undefined
    if (made === undefined) return { error: 'the expression gives nothing' }
    if (made.length > charsMax) return { error: `it makes more than ${charsMax} characters` }
    return { text: made }
  } catch (error) {
    return { error: describeJsonataError(error) }
  }
}

async function evaluateAll({ expression, texts, sliceMs }: Evaluate): Promise<Evaluations> {
  const startedAt = performance.now()
  const results: Evaluated[] = []
  let spentMs = 0
  for (const text of texts) {
    results.push(await evaluate(expression, text))
    spentMs = performance.now() - startedAt
    if (spentMs > sliceMs) break
  }
  return { results, spentMs }
}

process.on('message', (message: Evaluate) => void evaluateAll(message).then((done) => process.send!(done)))
process.on('disconnect', () => process.exit())
// A parent that is killed cannot end this process, and an evaluation without end would never see that it is alone.
new Worker(new URL('./watch-parent.ts', import.meta.url), { workerData: process.ppid }).unref()
process.send!('READY')
