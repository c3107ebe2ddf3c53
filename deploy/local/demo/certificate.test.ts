import { expect, test } from 'vitest'
import { certificateJson, type Findings, problemsOf } from './certificate.ts'
import { certificateBox } from './certificate-box.ts'

const same = (text: string): string => text
const paint = { green: same, red: same, dim: same, bold: same }

const findings: Findings = {
  useCase: 'namespaces/demo/useCases/flights',
  published: 250_000,
  verified: {
    ...{ published: 250_000, delivered: 250_000, failed: 0, skipped: 0, superseded: 0, onTheWay: 0, missing: 0 },
    ...{ repeated: 2, attempts: 291_204, complete: true },
  },
  source: { rows: 250_000, checksum: 'ab'.repeat(32) },
  target: { rows: 250_000, checksum: 'ab'.repeat(32) },
  ...{ failedBeforeFix: 497, retried: 497, repeatedByNextOwner: 61, repeatedBySameOwner: 3 },
  faults: { busy: 2_510, refused: 497, outageSeconds: 4, workerKilled: true },
  seconds: 41.23,
}

const broken: [what: string, change: Partial<Findings>][] = [
  ['a row that was not published', { published: 249_999 }],
  ['a record without an outcome', { verified: { ...findings.verified, delivered: 249_999, missing: 1 } }],
  ['a record on the way', { verified: { ...findings.verified, delivered: 249_999, onTheWay: 1, complete: false } }],
  ['a count that is not complete', { verified: { ...findings.verified, complete: false } }],
  ['a record that failed', { verified: { ...findings.verified, delivered: 249_999, failed: 1 } }],
  ['a record that was skipped', { verified: { ...findings.verified, delivered: 249_999, skipped: 1 } }],
  ['a record that only Ferry knows', { verified: { ...findings.verified, published: 250_001, delivered: 250_001 } }],
  ['a table with a row less', { target: { ...findings.target, rows: 249_999 } }],
  ['a table with other values', { target: { ...findings.target, checksum: 'ac'.repeat(32) } }],
  ['a failed row that was not retried', { retried: 496 }],
  ['a log with fewer attempts than records', { verified: { ...findings.verified, attempts: 249_999 } }],
  ['a log with repeats that the new service has not seen', { verified: { ...findings.verified, repeated: 65 } }],
  ['a run in which nothing failed', { failedBeforeFix: 0, retried: 0 }],
  ['a run in which no worker was killed', { faults: { ...findings.faults, workerKilled: false } }],
  ['a run in which the new service was never down', { faults: { ...findings.faults, outageSeconds: 0 } }],
  ['a run without a 503', { faults: { ...findings.faults, busy: 0 } }],
  ['a run without a 422', { faults: { ...findings.faults, refused: 0 } }],
]

test('the certificate holds when every claim does', () => {
  expect(problemsOf(findings)).toEqual([])
  expect(certificateJson(findings)).toMatchObject({
    ...{ ok: true, published: 250_000, missing: 0, repeated: 64, retried: 497, attemptsLogged: 291_204 },
    outcomes: { delivered: 250_000, failed: 0, skipped: 0, superseded: 0 },
    ...{ sourceRows: 250_000, targetRows: 250_000, sourceChecksum: 'ab'.repeat(32), targetChecksum: 'ab'.repeat(32) },
    ...{ rowsPerSecond: 6064, seconds: 41.2 },
  })
})

test.each(broken)('there is no certificate for %s', (_what, change) => {
  const wrong = { ...findings, ...change }
  const problems = problemsOf(wrong)
  expect(problems.length).toBeGreaterThan(0)
  expect(certificateJson(wrong)).toMatchObject({ ok: false, problems })
  const box = certificateBox(wrong, paint).join('\n')
  expect(box).toContain('NO CERTIFICATE')
  for (const problem of problems) expect(box).toContain(problem)
})

test('the frame is straight', () => {
  for (const each of [findings, ...broken.map(([, change]) => ({ ...findings, ...change }))]) {
    const widths = certificateBox(each, paint).map((line) => line.length)
    expect(new Set(widths)).toEqual(new Set([widths[0]]))
  }
})

test('repeats are explained when there are some', () => {
  expect(certificateBox(findings, paint).join('\n')).toMatch(/repeated +64 .*\n.*after the kill +61 .*\n.*after a break +3 /)
  const none = { ...findings, repeatedByNextOwner: 0, repeatedBySameOwner: 0, verified: { ...findings.verified, repeated: 0 } }
  expect(certificateBox(none, paint).join('\n')).not.toContain('after the kill')
})
