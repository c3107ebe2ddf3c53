import { expect, test } from 'vitest'
import { readFailures, readRecords } from './read-batch.ts'

const values = ['{"a":"}{\\"],["}', '[1, {"b":2}]', '"text"']
const envelope = (value: string, offset: number): string =>
  `{"id":"u/c/t/3/${offset}","record":"t/3/${offset}","attempt":"9.0.1","value":${value}}`
const items = values.map(envelope)
const headers = { 'ferry-batch': '3', 'ferry-record': 't/3/0-2', 'ferry-attempt': '9.0.1' }

test.each([
  ['an array', 'application/json', `[${items.join(',')}]`],
  ['NDJSON', 'application/x-ndjson', items.map((item) => `${item}\n`).join('')],
])('the records of %s are read with the bytes of their values', (_, type, body) => {
  const read = readRecords({ ...headers, 'content-type': type }, body)
  expect(read.map(({ partition, offset, epoch, body }) => [partition, offset, epoch, body])).toEqual(
    values.map((value, offset) => [3, offset, 9, value]),
  )
})

test('a batch that has not as many records as it says, or misnames one, is refused', () => {
  expect(() => readRecords({ ...headers, 'content-type': 'application/json' }, `[${items[0]}]`)).toThrow('a batch of 1 records')
  const wrong = items[0]!.replace('u/c/t/3/0', 'u/c/t/3/7')
  expect(() => readRecords({ ...headers, 'ferry-batch': '1' }, `[${wrong}]`)).toThrow('is called t/3/0')
})

test('who is named as failed has the status that was named, or that of the answer', () => {
  const body = '{"failures":[{"index":1,"status":422},{"index":2}]}'
  expect([...readFailures(200, body)]).toEqual([
    [1, 422],
    [2, 200],
  ])
  expect([readFailures(503, body).size, readFailures(200, '{}').size, readFailures(200, undefined).size]).toEqual([0, 0, 0])
})
