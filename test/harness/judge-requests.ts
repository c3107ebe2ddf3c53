import type { Problems } from './problems.ts'
import type { Log, LoggedAttempt } from './read-log.ts'
import { isSuccess, type Received, recordName, requestName } from './received.ts'

export interface RequestCounts {
  /** Successful answers beyond the first of each record. */
  readonly repeats: number
  /** Of them, those whose record was sent again although the log had the earlier success. */
  readonly repeatsOfLogged: number
  /** Of them, those whose earlier answer got lost on its way: the endpoint gave it, and the log has the attempt as one that met a reset or a timeout. */
  readonly lostAnswers: number
  /** Requests that the log does not have: their worker was killed before its flush. */
  readonly lostRows: number
}

/** From a request that was sent to its arrival, on a busy machine. */
const onTheWayMsMax = 500

/** No answer reached the worker, or it had stopped waiting: the endpoint may still have answered. */
const lostOnTheWay = new Set(['TIMEOUT', 'CONNECTION_RESET', 'CONNECTION_FAILED'])
const withoutAnswer = new Set(['ABORTED', ...lostOnTheWay])

/**
 * The endpoint's record against the log's: every request is in the log exactly once, with the status that it was answered with, and
 * the log has none that the endpoint answered otherwise. Only a crash loses rows, and only of records that a newer owner sends or ends; when
 * ClickHouse dies in the same insert, too, either of attempt and outcome may be there without the other.
 */
export function judgeRequests(requests: readonly Received[], log: Log, crashed: boolean, problems: Problems): RequestCounts {
  const { rows, ended } = indexRows(log, crashed, problems)
  const received = new Map<string, Received>()
  const lastEpoch = new Map<string, number>()
  for (const request of requests) {
    const name = requestName(request)
    if (received.has(name)) problems.add('requests with a number that was used before', name)
    received.set(name, request)
    lastEpoch.set(recordName(request), Math.max(request.epoch, lastEpoch.get(recordName(request)) ?? 0))
  }
  // A newer owner may also have ended it without a request: superseded by a newer version.
  for (const row of log.attempts) lastEpoch.set(recordName(row), Math.max(row.epoch, lastEpoch.get(recordName(row)) ?? 0))
  judgeOwners(requests, problems)
  let lostRows = 0
  for (const [name, request] of received) {
    const row = rows.get(name)
    if (row !== undefined) judgeRow(row, request, problems)
    else if (crashed && lastEpoch.get(recordName(request))! > request.epoch) lostRows++
    else problems.add('requests that the log does not have', `${name} answered ${request.status}`)
  }
  for (const [name, row] of rows) {
    const isEnded = row.outcome === 'RETRY' || ended.has(endName(row))
    if (!isEnded && !(crashed && (lastEpoch.get(recordName(row)) ?? 0) > row.epoch))
      problems.add('attempts without their outcome', name)
    if (row.status !== 0 && !received.has(name)) problems.add('answers in the log that nobody gave', `${name} ${row.status}`)
  }
  return { ...countRepeats(requests, rows, ended), lostRows }
}

const endName = (row: LoggedAttempt): string => `${requestName(row)} ${row.outcome}`

/** One owner at a time: once a lane's newer epoch sends, nothing of an older one is sent. What was on its way may still arrive. */
function judgeOwners(requests: readonly Received[], problems: Problems): void {
  const newest = new Map<number, { readonly epoch: number; readonly sinceMs: number }>()
  for (const { partition, offset, epoch, arrivedMs } of requests) {
    const owner = newest.get(partition)
    if (owner === undefined || epoch > owner.epoch) newest.set(partition, { epoch, sinceMs: arrivedMs })
    else if (epoch < owner.epoch && arrivedMs > owner.sinceMs + onTheWayMsMax)
      problems.add(
        'requests by the owner of an older epoch',
        `${partition}/${offset} ${epoch}, ${Math.round(arrivedMs - owner.sinceMs)} ms late`,
      )
  }
}

function indexRows(log: Log, crashed: boolean, problems: Problems) {
  const rows = new Map<string, LoggedAttempt>()
  const newest = new Map<string, number>()
  for (const row of log.attempts) {
    const name = requestName(row)
    if (rows.has(name)) problems.add('attempts that the log has twice', name)
    rows.set(name, row)
    newest.set(recordName(row), Math.max(row.epoch, newest.get(recordName(row)) ?? 0))
  }
  const ended = new Set<string>()
  const seen = new Set<string>()
  for (const row of log.outcomes) {
    const name = endName(row)
    if (seen.has(name)) problems.add('outcomes that the log has twice', name)
    seen.add(name)
    const isWhole = rows.get(requestName(row))?.outcome === row.outcome
    if (isWhole) ended.add(name)
    else if (!(crashed && (newest.get(recordName(row)) ?? 0) > row.epoch)) problems.add('outcomes without their attempt', name)
  }
  return { rows, ended }
}

function judgeRow(row: LoggedAttempt, request: Received, problems: Problems): void {
  const name = requestName(row)
  if (row.outcome === 'DELIVERED' && !isSuccess(request)) {
    problems.add('DELIVERED that the endpoint did not answer with success', `${name} ${request.status}`)
  }
  // It may have stopped reading an answer that was too long: the status was there.
  if (row.status === request.status || (request.status === 0 && row.status === request.begunStatus)) return
  if (row.status === 0 && withoutAnswer.has(row.reason)) return
  problems.add('answers that the log has otherwise', `${name} was ${request.status}, log ${row.status} ${row.reason}`)
}

function countRepeats(requests: readonly Received[], rows: ReadonlyMap<string, LoggedAttempt>, ended: ReadonlySet<string>) {
  const successes = new Map<string, Received[]>()
  for (const request of requests.filter(isSuccess)) {
    const name = recordName(request)
    successes.set(name, [...(successes.get(name) ?? []), request])
  }
  let repeats = 0
  let repeatsOfLogged = 0
  let lostAnswers = 0
  for (const all of successes.values()) {
    const earlier = all.sort((a, b) => a.answerOrder - b.answerOrder).slice(0, -1)
    repeats += earlier.length
    repeatsOfLogged += earlier.filter((each) => ended.has(`${requestName(each)} DELIVERED`)).length
    lostAnswers += earlier.filter((each) => isLostAnswer(rows.get(requestName(each)))).length
  }
  return { repeats, repeatsOfLogged, lostAnswers }
}

const isLostAnswer = (row: LoggedAttempt | undefined): boolean =>
  row !== undefined && row.outcome === 'RETRY' && row.status === 0 && lostOnTheWay.has(row.reason)
