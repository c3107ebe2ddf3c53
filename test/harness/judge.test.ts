import { expect, test } from 'vitest'
import { type Evidence, judgeEvidence } from './judge.ts'
import type { LoggedAttempt, LoggedRange } from './read-log.ts'
import type { TopicRecord } from './read-topic.ts'
import type { Received } from './received.ts'

// Partition 0: 0 to 3 are records of key `a`, 4 is a tombstone, 5 a transaction's marker. Record 2 is answered 503 first.

const record = (offset: number, value: string | undefined = `"${offset}"`): TopicRecord => ({
  ...{ partition: 0, offset, key: 'a', headers: {} },
  value: value === undefined ? undefined : Buffer.from(value),
})

const request = (offset: number, attempt: number, status: number, order: number, more: Partial<Received> = {}): Received => ({
  ...{ topic: 't', partition: 0, offset, epoch: 10, round: 0, attempt, method: 'POST', path: '/', headers: {} },
  ...{ body: `"${offset}"`, arrivedMs: order, status, begunStatus: status, answeredMs: order + 0.5, answerOrder: order },
  ...{ batch: [], isNamed: false },
  ...more,
})

const row = (offset: number, attempt: number, status: number, more: Partial<LoggedAttempt> = {}): LoggedAttempt => ({
  ...{ partition: 0, offset, round: 0, epoch: 10, attempt, status, worker: 'w' },
  ...{ outcome: status === 200 ? 'DELIVERED' : 'RETRY', reason: status === 200 ? 'NONE' : 'RETRYABLE_STATUS' },
  ...more,
})

const range = (kind: string, first: number, last: number): LoggedRange => ({
  partition: 0,
  kind,
  reason: '',
  runs: [[first, last]],
})

const attempts = [row(0, 1, 200), row(1, 1, 200), row(2, 1, 503), row(2, 2, 200), row(3, 1, 200)]

const good: Evidence = {
  records: [record(0), record(1), record(2), record(3), { ...record(4), value: undefined }],
  ends: new Map([[0, 6]]),
  requests: [request(0, 1, 200, 0), request(1, 1, 200, 1), request(2, 1, 503, 2), request(2, 2, 200, 3), request(3, 1, 200, 4)],
  log: {
    attempts,
    outcomes: attempts.filter((each) => each.outcome !== 'RETRY'),
    ranges: [range('TOMBSTONE', 4, 4), range('TRANSACTION', 5, 5)],
  },
  ...{ keyOrder: true, crashed: false, bodiesAsPublished: true },
}

const withLog = (attempts: readonly LoggedAttempt[], ranges = good.log.ranges): Evidence => ({
  ...good,
  log: { attempts, outcomes: attempts.filter((each) => each.outcome !== 'RETRY'), ranges },
})

test('where all is well the judge finds no problem, and counts', () => {
  const judged = judgeEvidence(good)
  expect(judged.problems).toEqual([])
  expect(judged).toMatchObject({ records: 5, requests: 5, attempts: 5, holes: 1, repeats: 0, lostRows: 0 })
  expect(judged.outcomes).toEqual({ DELIVERED: 4, FAILED: 0, SKIPPED: 1, SUPERSEDED: 0 })
})

const faults: [fault: string, evidence: Evidence, problem: string][] = [
  ['a record that nobody ended', withLog(attempts.slice(0, -1)), '1 x records without outcome or range: 0/3'],
  [
    'a hole without a range',
    withLog(attempts, [range('TOMBSTONE', 4, 4)]),
    '1 x offsets that are no record and have no range: 0/5',
  ],
  ['an outcome beyond the end', withLog([...attempts, row(9, 1, 200)]), '1 x outcomes of offsets that are no record: 0/9 10.0.1'],
  [
    'a range beyond the end',
    withLog(attempts, [...good.log.ranges, range('COMPACTED', 6, 7)]),
    '1 x ranges beyond the end of the partition: COMPACTED 0/6-7',
  ],
  ['a row that is there twice', withLog([...attempts, row(3, 1, 200)]), '1 x attempts that the log has twice: 0/3 10.0.1'],
  [
    'a request that the log does not have',
    withLog(attempts.filter((each) => each.outcome !== 'RETRY')),
    '1 x requests that the log does not have: 0/2 10.0.1 answered 503',
  ],
  [
    'a delivery that the endpoint refused',
    { ...good, requests: good.requests.map((each) => (each.offset === 3 ? { ...each, status: 500 } : each)) },
    '1 x DELIVERED that the endpoint did not answer with success: 0/3 10.0.1 500',
  ],
  [
    'an answer that nobody gave',
    withLog([...attempts, row(3, 2, 503)]),
    '1 x answers in the log that nobody gave: 0/3 10.0.2 503',
  ],
  [
    'a number that is used again',
    { ...good, requests: [...good.requests, request(3, 1, 200, 5)] },
    '1 x requests with a number that was used before: 0/3 10.0.1',
  ],
  [
    'an outcome without its attempt',
    { ...good, log: { ...good.log, outcomes: [...good.log.outcomes, row(2, 1, 503, { outcome: 'FAILED' })] } },
    '1 x outcomes without their attempt: 0/2 10.0.1 FAILED',
  ],
  [
    'an attempt without its outcome',
    { ...good, log: { ...good.log, outcomes: good.log.outcomes.slice(1) } },
    '1 x attempts without their outcome: 0/0 10.0.1',
  ],
  [
    'a body that is another',
    { ...good, requests: good.requests.map((each) => (each.offset === 1 ? { ...each, body: '"2"' } : each)) },
    '1 x bodies that differ from the record: 0/1',
  ],
  [
    'a record that overtakes a failed one of its key',
    {
      ...good,
      requests: [...good.requests.slice(0, 3), request(3, 1, 200, 3), request(2, 2, 200, 4)],
    },
    '1 x records of a key that succeeded after a later one: 0/2 of key a after 3',
  ],
  [
    'an owner that sends on when the lane has another',
    { ...good, requests: [...good.requests, request(3, 1, 200, 5, { epoch: 11 }), request(1, 2, 200, 900)] },
    '1 x requests by the owner of an older epoch: 0/1 10, 895 ms late',
  ],
  [
    'a record with a value that is called a tombstone',
    withLog(attempts.slice(0, -1), [range('TOMBSTONE', 3, 4), range('TRANSACTION', 5, 5)]),
    '1 x records with a value that the log calls tombstones: 0/3',
  ],
]

test.each(faults)('the judge notices %s', (_fault, evidence, problem) => {
  expect(judgeEvidence(evidence).problems).toContain(problem)
})

test('after a crash a lost row is no problem when its record was sent again by the next owner, and is counted', () => {
  const again = request(3, 1, 200, 5, { epoch: 11 })
  const evidence = withLog([...attempts.slice(0, -1), row(3, 1, 200, { epoch: 11 })])
  const crash = { ...evidence, requests: [...good.requests, again] }
  expect(judgeEvidence({ ...crash, crashed: true })).toMatchObject({ problems: [], lostRows: 1, repeats: 1, repeatsOfLogged: 0 })
  expect(judgeEvidence(crash).problems).toEqual(['1 x requests that the log does not have: 0/3 10.0.1 answered 200'])
})

test('after a crash an attempt without its outcome is no problem when its record was sent again by the next owner', () => {
  const again = { epoch: 11 }
  const log = { ...good.log, attempts: [...attempts, row(3, 1, 200, again)] }
  const outcomes = [...attempts.slice(0, -1).filter((each) => each.outcome !== 'RETRY'), row(3, 1, 200, again)]
  const evidence = { ...good, requests: [...good.requests, request(3, 1, 200, 5, again)], log: { ...log, outcomes } }
  expect(judgeEvidence(evidence).problems).toEqual(['1 x attempts without their outcome: 0/3 10.0.1'])
  const judged = judgeEvidence({ ...evidence, crashed: true })
  expect(judged).toMatchObject({ problems: [], repeats: 1, repeatsOfLogged: 0 })
  const notAgain = { ...good, crashed: true, log: { ...good.log, outcomes: good.log.outcomes.slice(0, -1) } }
  expect(judgeEvidence(notAgain).problems).toContain('1 x attempts without their outcome: 0/3 10.0.1')
})

test('after a crash an outcome without its attempt is no problem when its record was sent again by the next owner, and is no end', () => {
  const again = { epoch: 11 }
  const rows = [...attempts.slice(0, -1), row(3, 1, 200, again)]
  const outcomes = [...attempts, row(3, 1, 200, again)].filter((each) => each.outcome !== 'RETRY')
  const evidence = { ...good, requests: [...good.requests, request(3, 1, 200, 5, again)] }
  const half = { ...evidence, log: { ...good.log, attempts: rows, outcomes } }
  expect(judgeEvidence({ ...half, crashed: true })).toMatchObject({ problems: [], repeats: 1, repeatsOfLogged: 0, lostRows: 1 })
  expect(judgeEvidence(half).problems).toContain('1 x outcomes without their attempt: 0/3 10.0.1 DELIVERED')
  const notAgain = { ...good, crashed: true, log: { ...good.log, attempts: attempts.slice(0, -1) } }
  expect(judgeEvidence(notAgain).problems).toContain('1 x outcomes without their attempt: 0/3 10.0.1 DELIVERED')
})

test('a record that is sent again although the log had its success is counted apart', () => {
  const twice = withLog([...attempts, row(3, 1, 200, { epoch: 11 })])
  const evidence = { ...twice, requests: [...good.requests, request(3, 1, 200, 5, { epoch: 11 })], crashed: true }
  expect(judgeEvidence(evidence)).toMatchObject({ problems: [], repeats: 1, repeatsOfLogged: 1 })
})

test('a repeat after an answer that got lost is counted apart, when the log has the attempt without an answer', () => {
  const requests = [...good.requests, request(3, 2, 200, 5)]
  const sentAgain = (reason: string) => ({
    ...withLog([...attempts.slice(0, -1), row(3, 1, 0, { outcome: 'RETRY', reason }), row(3, 2, 200)]),
    requests,
  })
  expect(judgeEvidence(sentAgain('CONNECTION_RESET'))).toMatchObject({ problems: [], repeats: 1, lostAnswers: 1 })
  // Ferry broke it off itself: that is not the endpoint's doing.
  expect(judgeEvidence(sentAgain('ABORTED'))).toMatchObject({ problems: [], repeats: 1, lostAnswers: 0 })
})
