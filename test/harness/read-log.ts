import type { Sql } from './sql.ts'

export type OutcomeName = 'DELIVERED' | 'FAILED' | 'SKIPPED' | 'SUPERSEDED'

/** A row of `attempts`, as far as it is judged. */
export interface LoggedAttempt {
  readonly partition: number
  readonly offset: number
  readonly round: number
  readonly epoch: number
  readonly attempt: number
  readonly outcome: OutcomeName | 'RETRY'
  readonly reason: string
  readonly status: number
  readonly worker: string
}

/** A row of `ranges`: offsets that have no attempt. */
export interface LoggedRange {
  readonly partition: number
  readonly kind: string
  readonly reason: string
  readonly runs: readonly (readonly [first: number, last: number])[]
}

export interface Log {
  readonly attempts: readonly LoggedAttempt[]
  readonly outcomes: readonly LoggedAttempt[]
  readonly ranges: readonly LoggedRange[]
}

/** What the log has of one use case, row by row. */
export async function readLog(sql: Sql, uid: string): Promise<Log> {
  const where = `WHERE uid = '${uid}'`
  const columns = 'partition, offset, round, epoch, attempt, outcome, reason, status'
  const [attempts, outcomes, ranges] = await Promise.all([
    sql.rows<LoggedAttempt>(`SELECT ${columns}, worker FROM attempts ${where}`),
    sql.rows<LoggedAttempt>(`SELECT ${columns}, '' AS worker FROM outcomes ${where}`),
    sql.rows<LoggedRange>(`SELECT partition, kind, reason, runs FROM ranges ${where}`),
  ])
  return { attempts, outcomes, ranges }
}
