import { type Findings, problemsOf, repeatedOf } from './certificate.ts'
import type { TableSummary } from './flight-table.ts'
import { formatCount } from './progress-line.ts'
import type { Paint } from './screen.ts'

/** With its frame and the margin the certificate fits into 80 columns. */
const innerWidth = 70
const labelWidth = 20
const countWidth = 10
const checksumDigits = 24

/** The certificate for people, framed. */
export function certificateBox(findings: Findings, paint: Paint): string[] {
  const problems = problemsOf(findings)
  const holds = problems.length === 0
  const body = [
    ...outcomeRows(findings),
    '',
    ...tableRows(findings),
    '',
    ...attemptRows(findings),
    '',
    ...(holds ? [`${formatCount(findings.published)} rows arrived, none is missing.`] : problems.map((each) => `✗ ${each}`)),
    faultsOf(findings),
    speedOf(findings),
  ]
  const color = holds ? paint.green : paint.red
  const title = holds ? 'CERTIFICATE' : 'NO CERTIFICATE'
  const heading = title + findings.useCase.padStart(innerWidth - title.length)
  const framed = [heading, '', ...body].map((text) => `${color('│')}  ${text.padEnd(innerWidth)}  ${color('│')}`)
  const edge = '─'.repeat(innerWidth + 4)
  return [color(`╭${edge}╮`), ...framed, color(`╰${edge}╯`)]
}

const row = (label: string, count: number, note = ''): string =>
  `${label.padEnd(labelWidth)}${formatCount(count).padStart(countWidth)}  ${note}`.trimEnd()

function outcomeRows({ published, verified, retried }: Findings): string[] {
  return [
    row('published', published, 'records, acknowledged by Kafka'),
    row('delivered', verified.delivered, `${formatCount(retried)} of them retried by one call`),
    row('failed', verified.failed),
    row('skipped', verified.skipped),
    row('superseded', verified.superseded),
    row('missing', verified.missing),
  ]
}

function tableRows({ source, target }: Findings): string[] {
  const digits = ({ checksum }: TableSummary): string => `sha256 ${checksum.slice(0, checksumDigits)}`
  return [row('old table, rows', source.rows, digits(source)), row('new table, rows', target.rows, digits(target))]
}

function attemptRows(findings: Findings): string[] {
  const { verified, repeatedByNextOwner, repeatedBySameOwner } = findings
  const repeated = repeatedOf(findings)
  const reasons = [
    row('  after the kill', repeatedByNextOwner, 'answered, and not yet in the log'),
    row('  after a break', repeatedBySameOwner, 'stored, and the answer got lost'),
  ]
  return [
    row('attempts in the log', verified.attempts, 'one row for every request'),
    row('repeated', repeated, repeated === 0 ? '' : 'arrived twice, stored once'),
    ...(repeated === 0 ? [] : reasons),
  ]
}

const faultsOf = ({ faults }: Findings): string =>
  `Faults: ${formatCount(faults.busy)} × 503, ${formatCount(faults.refused)} × 422, ${faults.outageSeconds} s of outage${faults.workerKilled ? ', a worker killed' : ''}.`

const speedOf = ({ published, seconds }: Findings): string =>
  `${seconds.toFixed(1)} s in all, ${formatCount(published / seconds)} rows/s.`
