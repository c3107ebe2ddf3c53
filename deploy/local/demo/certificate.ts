import type { TableSummary } from './flight-table.ts'
import type { Verification } from './observer.ts'

/** What the run has found out, each part from whoever knows it first hand. */
export interface Findings {
  readonly useCase: string
  /** Records that Kafka has acknowledged to the old service. */
  readonly published: number
  /** Ferry's own account: VerifyRange, after everything. */
  readonly verified: Verification
  /** Read from the two services' own files. */
  readonly source: TableSummary
  readonly target: TableSummary
  /** Rows that were FAILED before the fix, and rows that the retry batch has delivered. */
  readonly failedBeforeFix: number
  readonly retried: number
  /** The new service's count of rows that came once more. */
  readonly repeatedByNextOwner: number
  readonly repeatedBySameOwner: number
  readonly faults: {
    readonly busy: number
    readonly refused: number
    readonly outageSeconds: number
    readonly workerKilled: boolean
  }
  /** From the first published record to the last delivered one. */
  readonly seconds: number
}

/** Everything that does not hold, in words; none when the migration is proven. */
export function problemsOf(findings: Findings): string[] {
  const { published, verified, source, target, faults } = findings
  const repeated = repeatedOf(findings)
  const claims: [holds: boolean, problem: string][] = [
    [published === source.rows, `${published} records were published for ${source.rows} rows`],
    [verified.published === published, `Ferry counts ${verified.published} records, Kafka has acknowledged ${published}`],
    [verified.missing === 0, `${verified.missing} records have no outcome`],
    [verified.onTheWay === 0 && verified.complete, `${verified.onTheWay} records are still on the way`],
    [verified.delivered === published, `${verified.delivered} of ${published} records are delivered`],
    [findings.failedBeforeFix > 0, 'no row had failed before the fix'],
    [
      findings.retried === findings.failedBeforeFix,
      `${findings.retried} of ${findings.failedBeforeFix} failed rows were retried`,
    ],
    [target.rows === source.rows, `the new table has ${target.rows} rows, the old one ${source.rows}`],
    [target.checksum === source.checksum, 'the two tables have different checksums'],
    [verified.attempts >= published, `the log has ${verified.attempts} attempts for ${published} records`],
    [verified.repeated <= repeated, `the log has ${verified.repeated} repeats, the new service saw ${repeated}`],
    [faults.busy > 0, 'the new service was never busy'],
    [faults.refused > 0, 'the new service has refused no row'],
    [faults.outageSeconds > 0, 'the new service was never down'],
    [faults.workerKilled, 'no worker was killed'],
  ]
  return claims.filter(([holds]) => !holds).map(([, problem]) => problem)
}

export const repeatedOf = (findings: Findings): number => findings.repeatedByNextOwner + findings.repeatedBySameOwner

/** The certificate for machines. */
export function certificateJson(findings: Findings): Record<string, unknown> {
  const { verified, source, target } = findings
  const { delivered, failed, skipped, superseded } = verified
  const problems = problemsOf(findings)
  return {
    ok: problems.length === 0,
    problems,
    useCase: findings.useCase,
    published: findings.published,
    outcomes: { delivered, failed, skipped, superseded },
    onTheWay: verified.onTheWay,
    missing: verified.missing,
    repeated: repeatedOf(findings),
    repeats: { byNextOwner: findings.repeatedByNextOwner, bySameOwner: findings.repeatedBySameOwner, inLog: verified.repeated },
    failedBeforeFix: findings.failedBeforeFix,
    retried: findings.retried,
    sourceRows: source.rows,
    targetRows: target.rows,
    sourceChecksum: source.checksum,
    targetChecksum: target.checksum,
    attemptsLogged: verified.attempts,
    faults: findings.faults,
    rowsPerSecond: Math.round(findings.published / findings.seconds),
    seconds: Math.round(findings.seconds * 10) / 10,
  }
}
