import { expect, test } from 'vitest'
import { readAnswerAction } from './answer-action.ts'

const read = (...texts: string[]) => readAnswerAction(texts.map((text) => Buffer.from(text)))

test('an answer says what is to become of the delivery, in any case of letters', () => {
  expect(read('Ferry-Action', 'retry')).toEqual({ kind: 'RETRY', afterMs: undefined })
  expect(read('ferry-action', ' Retry ; after = 30 ')).toEqual({ kind: 'RETRY', afterMs: 30_000 })
  expect(read('date', 'today', 'FERRY-ACTION', 'skip')).toEqual({ kind: 'SKIP' })
  expect(read('ferry-action', 'FAIL')).toEqual({ kind: 'FAIL' })
  expect(read('content-type', 'text/plain')).toBeUndefined()
})

test.each(['', 'retry;after=', 'retry;after=-1', 'retry;after=1.5', 'retry after 3', 'drop'])(
  '%j is told, and means nothing',
  (text) => {
    expect(read('ferry-action', text)).toEqual({
      kind: 'UNKNOWN',
      error: `ferry-action must be retry, retry;after=SECONDS, skip or fail, not ${JSON.stringify(text)}: the status decided`,
    })
  },
)
