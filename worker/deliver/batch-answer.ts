// What the answer to a batch says of its records, when its status is a success.
//
//   the answer                                   | means
//   is empty, or is no JSON object               | all were taken
//   has no `failures`, or null, or an empty list | all were taken
//   names failures                               | these were not taken, all others were
//   is an object too long to be read             | not known: the text that is answered says why, and nothing counts as taken
//   has `failures` that are not as documented    | the same

/** A record that was not taken. */
export interface ItemFailure {
  /** In the order of the request, from 0. */
  readonly index: number
  /** 0 when it was not said. */
  readonly status: number
  readonly error: string
  /** Whether another attempt is worth it, when that was said. */
  readonly retry: boolean | undefined
}

const ERROR_LENGTH_MAX = 500
const MEMBER = Buffer.from('"failures"')
const NONE: readonly ItemFailure[] = []

/** The failures that an answer names; or, as text, why nobody can say which they are. isWhole: all of the answer was read. count: records of the batch. */
export function readFailures(answer: Buffer, isWhole: boolean, count: number): readonly ItemFailure[] | string {
  if (!isObject(answer)) return NONE
  if (!isWhole) return 'the answer is a JSON object longer than 1 MiB: which records it names as failed is not known'
  if (!answer.includes(MEMBER)) return NONE
  const failures = parseFailures(answer.toString())
  if (typeof failures === 'string') return failures
  const seen = new Set<number>()
  const read: ItemFailure[] = []
  for (const each of failures) {
    const failure = readFailure(each, count)
    if (typeof failure === 'string') return failure
    if (seen.has(failure.index)) return `the answer's failures name index ${failure.index} twice`
    seen.add(failure.index)
    read.push(failure)
  }
  return read
}

function isObject(answer: Buffer): boolean {
  let at = 0
  while (at < answer.length && answer[at]! <= 32) at++
  return answer[at] === 123
}

function parseFailures(text: string): readonly unknown[] | string {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return 'the answer has "failures" and is no JSON'
  }
  const { failures } = parsed as { failures?: unknown }
  if (failures === undefined || failures === null) return NONE
  return Array.isArray(failures) ? failures : 'the answer\'s "failures" is no list'
}

function readFailure(value: unknown, count: number): ItemFailure | string {
  if (typeof value !== 'object' || value === null) return "the answer's failures have an element that is no object"
  const { index, status, error, retry } = value as Record<string, unknown>
  if (!isWholeNumber(index, 0, count - 1))
    return `the answer's failures have index ${shown(index)}; the batch has 0 to ${count - 1}`
  if (isGiven(status) && !isWholeNumber(status, 100, 599))
    return `the answer's failures have status ${shown(status)} at index ${index}; it must be from 100 to 599`
  if (isGiven(retry) && typeof retry !== 'boolean')
    return `the answer's failures have retry ${shown(retry)} at index ${index}; it must be true or false`
  return { index, status: status ?? 0, error: errorText(error), retry: retry ?? undefined }
}

const isGiven = <T>(value: T | null | undefined): value is T => value !== undefined && value !== null
const isWholeNumber = (value: unknown, min: number, max: number): value is number =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max
const shown = (value: unknown): string => (JSON.stringify(value) ?? 'not given').slice(0, 100)

function errorText(error: unknown): string {
  if (!isGiven(error)) return ''
  return (typeof error === 'string' ? error : JSON.stringify(error)).slice(0, ERROR_LENGTH_MAX)
}
