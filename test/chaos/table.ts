import type { Result } from './result.ts'

const promises = { NONE: 'none', LOST_ANSWERS: 'lost answers only', UNLOGGED: 'unlogged only', COUNTED: 'counted' }

const columns: readonly (readonly [name: string, of: (result: Result) => string | number])[] = [
  ['scenario', (result) => result.scenario],
  ['fault', (result) => result.fault],
  ['records', (result) => result.records],
  ['requests', (result) => result.requests],
  ['delivered', (result) => result.delivered],
  ['failed', (result) => result.failed],
  ['skipped', (result) => result.skipped + result.superseded],
  ['missing', (result) => result.missing],
  ['repeats', (result) => result.repeats],
  ['promised', (result) => promises[result.promised]],
  ['s', (result) => Math.round(result.seconds)],
  ['', (result) => (result.problems.length === 0 ? 'ok' : 'FAILED')],
]

/** A Markdown table that can be read as it is: columns are padded, numbers to the right. */
export function drawTable(results: readonly Result[]): string {
  const rows = [columns.map(([name]) => name), ...results.map((result) => columns.map(([, of]) => String(of(result))))]
  const widths = columns.map((_, at) => Math.max(...rows.map((row) => row[at]!.length), 2))
  const isNumber = columns.map(([, of]) => results.length > 0 && typeof of(results[0]!) === 'number')
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (isNumber[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!))).join(' | ')} |`
  const rule = `|${widths.map((width, at) => (isNumber[at] ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2))).join('|')}|`
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join('\n')
}
